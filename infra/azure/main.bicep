// Heddle on Azure: Flex Consumption before Cosmos DB, storage and Key Vault, with identities and no keys. docs/deploy-azure.md says what
// each parameter does and what all of it costs; main.bicepparam has the three environments' settings.
//
// For a resource group and not for a subscription: azd and `az deployment group create` take it alike, and whoever deploys an
// environment needs rights in its group alone.

targetScope = 'resourceGroup'

// ---- Environment ----

@description('Production can\'t be deleted by mistake, and has no echo provider.')
param environment 'dev' | 'staging' | 'prod' = 'dev'

@description('Stands in the names of all resources. azd: the name of its environment.')
@minLength(3)
@maxLength(18)
param name string = 'heddle-${environment}'
param location string = resourceGroup().location

@description('Path of the configuration inside the package. Empty: heddle.yaml, which the build puts there.')
param modelsFile string = ''
param logLevel 'debug' | 'info' | 'warn' | 'error' | 'silent' = 'info'

@minValue(30)
@maxValue(730)
param logRetentionDays int = 30

@description('GB of logs a day, above which nothing more is taken until the next. -1: no end.')
param logDailyCapGb int = -1

@description('What resources log of themselves. all: every request to storage and Cosmos DB, too.')
param diagnostics 'essential' | 'all' = 'essential'

// ---- Size ----

@description('What Flex Consumption runs the code with.')
param nodeVersion '22' | '24' = '24'

@description('MB of an instance.')
param instanceMemory 512 | 2048 | 4096 = 2048

@description('Instances at most; of the gateway, of the worker and of the sweeper each.')
@minValue(1)
@maxValue(1000)
param maximumInstances int = 100

@description('Instances of the gateway that are kept warm, billed all the time.')
@minValue(0)
param alwaysReady int = 0

@description('Calls at once on one instance; beyond, there is another instance.')
@minValue(1)
@maxValue(1000)
param httpConcurrency int = 50

@description('Seconds after which an answer ends, with a cursor to go on from. Azure cuts at 230.')
@minValue(30)
@maxValue(220)
param answerSeconds int = 220

@description('Request units a second that Cosmos DB scales up to. 0: serverless.')
@minValue(0)
param cosmosThroughput int = 0

@description('How far back Cosmos DB can be restored. 7 days cost nothing.')
param cosmosBackup 'Continuous7Days' | 'Continuous30Days' = 'Continuous7Days'

@description('Name of a Cosmos DB account in this group that a backup was restored to. Empty: the deployment\'s own.')
param restoredCosmos string = ''

@description('Takes back the vault of a deployment that was deleted.')
param recoverVault bool = false

@description('Copies in three zones, where the region has them.')
param zoneRedundant bool = false

@description('Days in which deleted blobs can be had back.')
@minValue(1)
@maxValue(365)
param blobRetentionDays int = 7

// ---- People ----

@description('Object id of who puts secrets into the vault. Empty: nobody gets that right here.')
param operatorId string = ''
param operatorType 'User' | 'Group' | 'ServicePrincipal' = 'User'

@description('Where alerts go. Empty: to the action group alone.')
param alarmEmail string = ''

// ---- Names ----

var production = environment == 'prod'
var longName = production ? 'production' : (environment == 'dev' ? 'development' : 'staging')
var token = uniqueString(resourceGroup().id, name)
var tags = {
  application: 'heddle'
  environment: environment
  'azd-env-name': name
}
var appName = '${name}-${token}'
var privateNetwork = false

// ---- State and telemetry ----

module identity 'modules/identity.bicep' = {
  name: 'identity'
  params: {
    name: 'id-${name}'
    location: location
    tags: tags
  }
}

module monitor 'modules/monitor.bicep' = {
  name: 'monitor'
  params: {
    name: name
    location: location
    tags: tags
    retentionDays: logRetentionDays
    dailyCapGb: logDailyCapGb
    privateNetwork: privateNetwork
    alarmEmail: alarmEmail
  }
}

module storage 'modules/storage.bicep' = {
  name: 'storage'
  params: {
    name: 'heddle${token}'
    location: location
    tags: tags
    zoneRedundant: zoneRedundant
    privateNetwork: privateNetwork
    retentionDays: blobRetentionDays
    locked: production
    workspaceId: monitor.outputs.workspaceId
    diagnostics: diagnostics
  }
}

module cosmos 'modules/cosmos.bicep' = {
  name: 'cosmos'
  params: {
    name: empty(restoredCosmos) ? 'cosmos-${name}-${token}' : restoredCosmos
    location: location
    tags: tags
    throughput: cosmosThroughput
    zoneRedundant: zoneRedundant
    backup: cosmosBackup
    privateNetwork: privateNetwork
    locked: production
    workspaceId: monitor.outputs.workspaceId
    diagnostics: diagnostics
  }
}

module vault 'modules/vault.bicep' = {
  name: 'vault'
  params: {
    name: 'kv-heddle-${token}'
    location: location
    tags: tags
    recover: recoverVault
    privateNetwork: privateNetwork
    locked: production
    workspaceId: monitor.outputs.workspaceId
  }
}

module roles 'modules/roles.bicep' = {
  name: 'roles'
  params: {
    principalId: identity.outputs.principalId
    storageName: storage.outputs.name
    jobsQueue: storage.outputs.jobsQueue
    poisonQueue: storage.outputs.poisonQueue
    cosmosName: cosmos.outputs.name
    cosmosDatabase: cosmos.outputs.database
    vaultName: vault.outputs.name
    insightsName: monitor.outputs.insightsName
    operatorId: operatorId
    operatorType: operatorType
  }
}

// ---- The function app ----

module functions 'modules/functions.bicep' = {
  name: 'functions'
  params: {
    name: appName
    location: location
    tags: tags
    environment: longName
    logLevel: logLevel
    modelsFile: modelsFile
    nodeVersion: nodeVersion
    instanceMemory: instanceMemory
    maximumInstances: maximumInstances
    alwaysReady: alwaysReady
    httpConcurrency: httpConcurrency
    answerSeconds: answerSeconds
    zoneRedundant: zoneRedundant
    identityId: identity.outputs.id
    identityClientId: identity.outputs.clientId
    blobEndpoint: storage.outputs.blobEndpoint
    queueEndpoint: storage.outputs.queueEndpoint
    deploymentsUrl: storage.outputs.deploymentsUrl
    blobsContainer: storage.outputs.blobsContainer
    jobsQueue: storage.outputs.jobsQueue
    cosmosEndpoint: cosmos.outputs.endpoint
    cosmosDatabase: cosmos.outputs.database
    cosmosContainer: cosmos.outputs.container
    vaultUrl: vault.outputs.url
    insightsName: monitor.outputs.insightsName
    workspaceId: monitor.outputs.workspaceId
    subnetId: ''
    privateNetwork: privateNetwork
    frontDoorId: ''
    allowedAddresses: []
    allowedOrigins: []
  }
  // The host reads its package and its leases as soon as it is there.
  dependsOn: [roles]
}

// ---- For people, azd and the workflow: names and addresses, never a secret ----

@description('Base URL for clients.')
output HEDDLE_URL string = 'https://${functions.outputs.host}'
output FUNCTION_APP string = functions.outputs.name
output FUNCTION_URL string = 'https://${functions.outputs.host}'
output KEY_VAULT string = vault.outputs.name
output COSMOS_ACCOUNT string = cosmos.outputs.name
output STORAGE_ACCOUNT string = storage.outputs.name
output IDENTITY_CLIENT_ID string = identity.outputs.clientId
output ACTION_GROUP_ID string = monitor.outputs.actionGroupId
