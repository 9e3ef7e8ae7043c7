// Cosmos DB for NoSQL: one container for everything that lasts, as docs/stores.md asks for it. No keys: roles.bicep says who may use it.

@minLength(3)
@maxLength(44)
param name string
param location string
param tags object

@description('0: serverless. Else autoscale up to so many request units a second.')
param throughput int
param zoneRedundant bool

@description('Free for the last 7 days, paid for 30.')
param backup 'Continuous7Days' | 'Continuous30Days'

@description('No way in but private endpoints.')
param privateNetwork bool

@description('Nobody deletes the account by mistake.')
param locked bool
param workspaceId string

@description('essential: changes of the account, hot partitions and metrics; all: every request, too.')
param diagnostics 'essential' | 'all'

var serverless = throughput == 0

resource account 'Microsoft.DocumentDB/databaseAccounts@2024-11-15' = {
  name: name
  location: location
  tags: tags
  kind: 'GlobalDocumentDB'
  properties: {
    databaseAccountOfferType: 'Standard'
    capabilities: serverless ? [
      {
        name: 'EnableServerless'
      }
    ] : []
    // A read must see what another instance has just written.
    consistencyPolicy: {
      defaultConsistencyLevel: 'Strong'
    }
    locations: [
      {
        locationName: location
        failoverPriority: 0
        isZoneRedundant: zoneRedundant
      }
    ]
    enableMultipleWriteLocations: false
    enableAutomaticFailover: false
    disableLocalAuth: true
    disableKeyBasedMetadataWriteAccess: true
    minimalTlsVersion: 'Tls12'
    publicNetworkAccess: privateNetwork ? 'Disabled' : 'Enabled'
    networkAclBypass: 'None'
    backupPolicy: {
      type: 'Continuous'
      continuousModeProperties: {
        tier: backup
      }
    }
  }
}

resource database 'Microsoft.DocumentDB/databaseAccounts/sqlDatabases@2024-11-15' = {
  parent: account
  name: 'heddle'
  properties: {
    resource: {
      id: 'heddle'
    }
  }
}

resource container 'Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers@2024-11-15' = {
  parent: database
  name: 'heddle'
  properties: {
    resource: {
      id: 'heddle'
      partitionKey: {
        paths: ['/pk']
        kind: 'Hash'
        version: 2
      }
      // On, with no default: each item says when it expires.
      defaultTtl: -1
      // What is asked for, and nothing else: bodies are never indexed.
      indexingPolicy: {
        automatic: true
        indexingMode: 'consistent'
        includedPaths: [
          {
            path: '/pk/?'
          }
          {
            path: '/ipk/?'
          }
          {
            path: '/place/?'
          }
          {
            path: '/expiresAt/?'
          }
        ]
        excludedPaths: [
          {
            path: '/*'
          }
        ]
      }
    }
    options: serverless ? {} : {
      autoscaleSettings: {
        maxThroughput: throughput
      }
    }
  }
}

resource lock 'Microsoft.Authorization/locks@2020-05-01' = if (locked) {
  name: 'kept'
  scope: account
  properties: {
    level: 'CanNotDelete'
    notes: 'Threads, keys, budgets. docs/deploy-azure.md says how to take it down.'
  }
}

resource logs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'heddle'
  scope: account
  properties: {
    workspaceId: workspaceId
    logAnalyticsDestinationType: 'Dedicated'
    logs: [
      {
        category: 'ControlPlaneRequests'
        enabled: true
      }
      {
        category: 'PartitionKeyStatistics'
        enabled: true
      }
      {
        category: 'DataPlaneRequests'
        enabled: diagnostics == 'all'
      }
      {
        category: 'PartitionKeyRUConsumption'
        enabled: diagnostics == 'all'
      }
    ]
    metrics: [
      {
        category: 'Requests'
        enabled: true
      }
    ]
  }
}

output id string = account.id
output name string = account.name
output endpoint string = account.properties.documentEndpoint
output database string = database.name
output container string = container.name
