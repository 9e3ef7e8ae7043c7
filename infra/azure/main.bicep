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

// ---- Front and network ----

@description('Everything by private endpoints, nothing by the internet; a network of its own with a NAT gateway.')
param privateNetwork bool = false

@description('Of that network, at least a /23.')
param addressPrefix string = '10.60.0.0/23'

@description('Azure Front Door before the function app, which then lets in nobody else. Premium: also to a private app, and with managed rules.')
param frontDoor 'off' | 'Standard' | 'Premium' = 'off'

@description('Of your own, such as ai.example.com, for Front Door. Empty: Front Door\'s.')
param domainName string = ''

@description('Id of the zone of Azure DNS that has the domain. Empty: kept elsewhere.')
param dnsZoneId string = ''

@description('A firewall on Front Door.')
param firewall bool = false

@description('Requests of one address in five minutes.')
@minValue(10)
param firewallRate int = 2000

@description('API Management beside the gateway\'s own address, with token limits. StandardV2: also to a private app.')
param apiManagement 'off' | 'BasicV2' | 'StandardV2' = 'off'

@description('Whom API Management writes to. It wants one.')
param publisherEmail string = 'nobody@example.com'

@description('Tokens a minute of one subscription of API Management.')
@minValue(1000)
param tokensPerMinute int = 100000

@description('A Static Web App for a web console.')
param console bool = true

@description('Static Web Apps are in few regions; pages are served from everywhere.')
param consoleLocation 'westus2' | 'centralus' | 'eastus2' | 'westeurope' | 'eastasia' = 'westeurope'

// ---- Alerts ----

@description('Alert when one call in a hundred waits longer for its first token.')
param firstTokenMilliseconds int = 10000

@description('Alert at so many US dollars of model calls within an hour.')
param spendPerHour int = 20

@description('Alert when so many calls of a hundred fail.')
param serverErrorPercent int = 5

@description('Minutes between two looks at the logs. 15 costs a third.')
param alertMinutes 5 | 15 = 5

// ---- People ----

@description('Object id of who puts secrets into the vault. Empty: nobody gets that right here.')
param operatorId string = ''
param operatorType 'User' | 'Group' | 'ServicePrincipal' = 'User'

@description('Client id of an app registration: callers with a token for it need no key. Empty: all need one.')
param entraClientId string = ''

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
// What a service would refuse after minutes, or what would be there and never be reached.
var refusal = privateNetwork && frontDoor == 'Standard' ? 'privateNetwork needs frontDoor Premium: Standard has no private link.' : (privateNetwork && apiManagement == 'BasicV2' ? 'privateNetwork needs apiManagement StandardV2: BasicV2 joins no network.' : ((firewall || !empty(domainName)) && frontDoor == 'off' ? 'firewall and domainName need frontDoor.' : ''))
var hasFrontDoor = frontDoor != 'off'
var hasApiManagement = apiManagement != 'off'

// ---- State and telemetry ----

module identity 'modules/identity.bicep' = {
  name: 'identity'
  params: {
    name: empty(refusal) ? 'id-${name}' : fail(refusal)
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

module network 'modules/network.bicep' = if (privateNetwork) {
  name: 'network'
  params: {
    name: name
    location: location
    tags: tags
    addressPrefix: addressPrefix
    zones: []
    workspaceId: monitor.outputs.workspaceId
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
    name: empty(restoredCosmos) ? toLower('cosmos-${name}-${token}') : restoredCosmos
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

// ---- What stands beside and before it, as far as it can be made without it ----

module links 'modules/private-links.bicep' = if (privateNetwork) {
  name: 'private-links'
  params: {
    name: name
    location: location
    tags: tags
    subnetId: network.outputs.endpointsSubnetId
    zoneIds: network.outputs.zoneIds
    storageId: storage.outputs.id
    cosmosId: cosmos.outputs.id
    vaultId: vault.outputs.id
    workspaceId: monitor.outputs.workspaceId
    insightsId: monitor.outputs.insightsId
  }
}

module pages 'modules/console.bicep' = if (console) {
  name: 'console'
  params: {
    name: 'stapp-${name}'
    location: consoleLocation
    tags: tags
  }
}

module profile 'modules/frontdoor-profile.bicep' = if (hasFrontDoor) {
  name: 'front-door-profile'
  params: {
    name: 'afd-${name}'
    tags: tags
    tier: frontDoor == 'Premium' ? 'Premium' : 'Standard'
    workspaceId: monitor.outputs.workspaceId
  }
}

module api 'modules/apim.bicep' = if (hasApiManagement) {
  name: 'api-management'
  params: {
    name: 'apim-${appName}'
    location: location
    tags: tags
    tier: apiManagement == 'StandardV2' ? 'StandardV2' : 'BasicV2'
    publisherEmail: publisherEmail
    appHost: '${appName}.azurewebsites.net'
    tokensPerMinute: tokensPerMinute
    subnetId: privateNetwork ? network.outputs.apiManagementSubnetId : ''
    actionGroupId: monitor.outputs.actionGroupId
    workspaceId: monitor.outputs.workspaceId
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
    subnetId: privateNetwork ? network.outputs.appSubnetId : ''
    privateNetwork: privateNetwork
    frontDoorId: hasFrontDoor && !privateNetwork ? profile.outputs.frontDoorId : ''
    entraClientId: entraClientId
    allowedAddresses: hasApiManagement && !privateNetwork ? api.outputs.addresses : []
  }
  // The host reads its package and its leases as soon as it is there.
  dependsOn: [roles, links]
}

module appLink 'modules/private-endpoint.bicep' = if (privateNetwork) {
  name: 'endpoint-app'
  params: {
    name: '${name}-app'
    location: location
    tags: tags
    subnetId: network.outputs.endpointsSubnetId
    targetId: functions.outputs.id
    group: 'sites'
    zoneIds: [network.outputs.zoneIds.sites]
  }
}

module front 'modules/frontdoor.bicep' = if (hasFrontDoor) {
  name: 'front-door'
  params: {
    name: appName
    location: location
    tags: tags
    profileName: profile.outputs.name
    tier: frontDoor == 'Premium' ? 'Premium' : 'Standard'
    appHost: functions.outputs.host
    privateAppId: privateNetwork ? functions.outputs.id : ''
    consoleHost: console ? pages.outputs.host : ''
    domainName: domainName
    dnsZoneId: dnsZoneId
    firewall: firewall
    firewallRate: firewallRate
  }
}

// ---- What is told ----

module alerts 'modules/alerts.bicep' = {
  name: 'alerts'
  params: {
    name: name
    location: location
    tags: tags
    workspaceId: monitor.outputs.workspaceId
    cosmosId: cosmos.outputs.id
    actionGroupId: monitor.outputs.actionGroupId
    minutes: alertMinutes
    firstTokenMilliseconds: firstTokenMilliseconds
    spendPerHour: spendPerHour
    serverErrorPercent: serverErrorPercent
    answerSeconds: answerSeconds
    maximumInstances: maximumInstances
  }
}

module workbook 'modules/workbook.bicep' = {
  name: 'workbook'
  params: {
    name: name
    location: location
    tags: tags
    workspaceId: monitor.outputs.workspaceId
  }
}

// ---- For people, azd and the workflow: names and addresses, never a secret ----

@description('Base URL for clients.')
output HEDDLE_URL string = !hasFrontDoor ? 'https://${functions.outputs.host}' : (empty(domainName) ? 'https://${front.outputs.host}' : 'https://${domainName}')

@description('The function app behind it.')
output FUNCTION_URL string = 'https://${functions.outputs.host}'
output FUNCTION_APP string = functions.outputs.name

@description('Front Door\'s own name, for the record of a domain that is kept elsewhere.')
output FRONT_DOOR_HOST string = hasFrontDoor ? front.outputs.host : ''

@description('Base URL of API Management; a wire\'s name comes after it.')
output API_MANAGEMENT_URL string = hasApiManagement ? api.outputs.url : ''
output CONSOLE_NAME string = console ? pages.outputs.name : ''
output CONSOLE_URL string = console ? 'https://${pages.outputs.host}' : ''

@description('Where provider keys and the admin key are put.')
output KEY_VAULT string = vault.outputs.name
output COSMOS_ACCOUNT string = cosmos.outputs.name
output STORAGE_ACCOUNT string = storage.outputs.name
output JOBS_QUEUE string = storage.outputs.jobsQueue
output POISON_QUEUE string = storage.outputs.poisonQueue
output IDENTITY_CLIENT_ID string = identity.outputs.clientId

@description('For role assignments beside the deployment\'s, such as that to Azure OpenAI.')
output IDENTITY_PRINCIPAL_ID string = identity.outputs.principalId
output ACTION_GROUP_ID string = monitor.outputs.actionGroupId
output WORKSPACE_ID string = monitor.outputs.workspaceId
output WORKBOOK_ID string = workbook.outputs.id

@description('What the providers see calls come from. Empty: any of Azure\'s.')
output OUTBOUND_ADDRESS string = privateNetwork ? network.outputs.outboundAddress : ''
output PRIVATE_NETWORK bool = privateNetwork
