// The three environments' settings: `HEDDLE_ENVIRONMENT=prod` picks one, for azd (`azd env set HEDDLE_ENVIRONMENT prod`) and for
// `az deployment group create --parameters infra/azure/main.bicepparam`. What is said here is asked for nowhere else.
using 'main.bicep'

var settings = {
  dev: {
    logLevel: 'debug'
    logRetentionDays: 30
    logDailyCapGb: 1
    instanceMemory: 512
    maximumInstances: 40
    cosmosThroughput: 0
    cosmosBackup: 'Continuous7Days'
    zoneRedundant: false
    blobRetentionDays: 7
    spendPerHour: 5
    alertMinutes: 15
  }
  staging: {
    logLevel: 'info'
    logRetentionDays: 30
    logDailyCapGb: 5
    instanceMemory: 2048
    maximumInstances: 40
    cosmosThroughput: 0
    cosmosBackup: 'Continuous7Days'
    zoneRedundant: false
    blobRetentionDays: 7
    spendPerHour: 20
    alertMinutes: 15
  }
  prod: {
    logLevel: 'info'
    logRetentionDays: 365
    logDailyCapGb: -1
    instanceMemory: 2048
    maximumInstances: 200
    cosmosThroughput: 10000
    cosmosBackup: 'Continuous30Days'
    zoneRedundant: true
    blobRetentionDays: 30
    spendPerHour: 20
    alertMinutes: 5
  }
}
var stage = readEnvironmentVariable('HEDDLE_ENVIRONMENT', 'dev')
var chosen = settings[stage]

param environment = stage
param name = readEnvironmentVariable('AZURE_ENV_NAME', 'heddle-${stage}')
param location = readEnvironmentVariable('AZURE_LOCATION', 'swedencentral')
param modelsFile = readEnvironmentVariable('HEDDLE_MODELS_FILE', '')
param logLevel = chosen.logLevel
param logRetentionDays = chosen.logRetentionDays
param logDailyCapGb = chosen.logDailyCapGb
param instanceMemory = chosen.instanceMemory
param maximumInstances = chosen.maximumInstances
param cosmosThroughput = chosen.cosmosThroughput
param cosmosBackup = chosen.cosmosBackup
param zoneRedundant = chosen.zoneRedundant
param blobRetentionDays = chosen.blobRetentionDays
param spendPerHour = chosen.spendPerHour
param alertMinutes = chosen.alertMinutes
param alarmEmail = readEnvironmentVariable('HEDDLE_ALARM_EMAIL', '')
// azd knows who deploys. In a workflow it is no person: HEDDLE_OPERATOR_TYPE=ServicePrincipal.
param operatorId = readEnvironmentVariable('AZURE_PRINCIPAL_ID', '')
param operatorType = readEnvironmentVariable('HEDDLE_OPERATOR_TYPE', 'User')
