// One storage account: the host's own blobs, the package of the code, large bodies, and the queue of background jobs. It has no keys:
// who may read it is said in roles.bicep.

@minLength(3)
@maxLength(24)
param name string
param location string
param tags object

@description('Copies in three zones of the region.')
param zoneRedundant bool

@description('No way in but private endpoints.')
param privateNetwork bool

@description('Days in which what was deleted can be had back.')
param retentionDays int

@description('Nobody deletes the account by mistake.')
param locked bool
param workspaceId string

@description('essential: deletions and metrics; all: every read and write, too.')
param diagnostics 'essential' | 'all'

resource account 'Microsoft.Storage/storageAccounts@2024-01-01' = {
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: {
    name: zoneRedundant ? 'Standard_ZRS' : 'Standard_LRS'
  }
  properties: {
    accessTier: 'Hot'
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    isLocalUserEnabled: false
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    publicNetworkAccess: privateNetwork ? 'Disabled' : 'Enabled'
    networkAcls: {
      defaultAction: privateNetwork ? 'Deny' : 'Allow'
      bypass: 'None'
    }
  }
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2024-01-01' = {
  parent: account
  name: 'default'
  properties: {
    isVersioningEnabled: true
    deleteRetentionPolicy: {
      enabled: true
      days: retentionDays
    }
    containerDeleteRetentionPolicy: {
      enabled: true
      days: retentionDays
    }
  }
}

resource packages 'Microsoft.Storage/storageAccounts/blobServices/containers@2024-01-01' = {
  parent: blobs
  name: 'deployments'
  properties: {
    publicAccess: 'None'
  }
}

resource bodies 'Microsoft.Storage/storageAccounts/blobServices/containers@2024-01-01' = {
  parent: blobs
  name: 'heddle-blobs'
  properties: {
    publicAccess: 'None'
  }
}

// Earlier versions are kept as long as deleted blobs, and are gone then; what is seldom read gets cheaper.
resource lifecycle 'Microsoft.Storage/storageAccounts/managementPolicies@2024-01-01' = {
  parent: account
  name: 'default'
  properties: {
    policy: {
      rules: [
        {
          name: 'earlier-versions'
          enabled: true
          type: 'Lifecycle'
          definition: {
            filters: {
              blobTypes: ['blockBlob']
            }
            actions: {
              version: {
                delete: {
                  daysAfterCreationGreaterThan: retentionDays
                }
              }
            }
          }
        }
        {
          name: 'seldom-read'
          enabled: true
          type: 'Lifecycle'
          definition: {
            filters: {
              blobTypes: ['blockBlob']
              prefixMatch: ['heddle-blobs/']
            }
            actions: {
              baseBlob: {
                tierToCool: {
                  daysAfterModificationGreaterThan: 30
                }
              }
            }
          }
        }
      ]
    }
  }
  dependsOn: [blobs]
}

resource queues 'Microsoft.Storage/storageAccounts/queueServices@2024-01-01' = {
  parent: account
  name: 'default'
}

resource jobs 'Microsoft.Storage/storageAccounts/queueServices/queues@2024-01-01' = {
  parent: queues
  name: 'heddle-jobs'
}

// The host puts what failed five times here: the queue's name and "-poison".
resource poison 'Microsoft.Storage/storageAccounts/queueServices/queues@2024-01-01' = {
  parent: queues
  name: 'heddle-jobs-poison'
}

resource lock 'Microsoft.Authorization/locks@2020-05-01' = if (locked) {
  name: 'kept'
  scope: account
  properties: {
    level: 'CanNotDelete'
    notes: 'Bodies of threads. docs/deploy-azure.md says how to take it down.'
  }
}

resource accountMetrics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'heddle'
  scope: account
  properties: {
    workspaceId: workspaceId
    metrics: [
      {
        category: 'Transaction'
        enabled: true
      }
    ]
  }
}

resource blobLogs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'heddle'
  scope: blobs
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        category: 'StorageDelete'
        enabled: true
      }
      {
        category: 'StorageRead'
        enabled: diagnostics == 'all'
      }
      {
        category: 'StorageWrite'
        enabled: diagnostics == 'all'
      }
    ]
    metrics: [
      {
        category: 'Transaction'
        enabled: true
      }
    ]
  }
}

// A worker that waits asks its queue all day long: reads, writes and deletions are logged only if you ask for all.
resource queueLogs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'heddle'
  scope: queues
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        category: 'StorageDelete'
        enabled: diagnostics == 'all'
      }
      {
        category: 'StorageRead'
        enabled: diagnostics == 'all'
      }
      {
        category: 'StorageWrite'
        enabled: diagnostics == 'all'
      }
    ]
    metrics: [
      {
        category: 'Transaction'
        enabled: true
      }
    ]
  }
}

output id string = account.id
output name string = account.name
output blobEndpoint string = account.properties.primaryEndpoints.blob
output queueEndpoint string = account.properties.primaryEndpoints.queue
output deploymentsUrl string = '${account.properties.primaryEndpoints.blob}${packages.name}'
output blobsContainer string = bodies.name
output jobsQueue string = jobs.name
output poisonQueue string = poison.name
