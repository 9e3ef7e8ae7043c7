// The function app on Flex Consumption: gateway, worker and sweeper from one bundle (dist/azure). Settings that Flex Consumption has its
// own properties for (FUNCTIONS_EXTENSION_VERSION, FUNCTIONS_WORKER_RUNTIME, WEBSITE_RUN_FROM_PACKAGE and the like) are left out.

@minLength(2)
@maxLength(32)
param name string
param location string
param tags object

@description('development, staging, production.')
param environment string
param logLevel string
param modelsFile string
param nodeVersion '22' | '24'
param instanceMemory 512 | 2048 | 4096
param maximumInstances int
param alwaysReady int
param httpConcurrency int
param answerSeconds int
param zoneRedundant bool

param identityId string
param identityClientId string
param blobEndpoint string
param queueEndpoint string
param deploymentsUrl string
param blobsContainer string
param jobsQueue string
param cosmosEndpoint string
param cosmosDatabase string
param cosmosContainer string
param vaultUrl string
param insightsName string
param workspaceId string

@description('Where the app\'s own calls leave from. Empty: no network.')
param subnetId string

@description('No way in but its private endpoint.')
param privateNetwork bool

@description('Only this Front Door is let in. Empty: everyone.')
param frontDoorId string

@description('Addresses that are let in beside Front Door, such as API Management\'s.')
param allowedAddresses array

@description('Client id of an app registration whose tokens App Service proves before the gateway sees them. Empty: it proves nothing.')
param entraClientId string

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: insightsName
}

resource plan 'Microsoft.Web/serverfarms@2024-11-01' = {
  name: 'plan-${name}'
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    name: 'FC1'
    tier: 'FlexConsumption'
  }
  properties: {
    reserved: true
    zoneRedundant: zoneRedundant
  }
}

// The service tag alone would let in everyone's Front Door: the header says which.
var frontDoorRule = {
  name: 'front-door'
  priority: 100
  action: 'Allow'
  tag: 'ServiceTag'
  ipAddress: 'AzureFrontDoor.Backend'
  headers: {
    'x-azure-fdid': [frontDoorId]
  }
}
var addressRules = map(allowedAddresses, address => {
  name: 'address'
  priority: 200
  action: 'Allow'
  ipAddress: '${address}/32'
})

resource app 'Microsoft.Web/sites@2024-11-01' = {
  name: name
  location: location
  // azd finds what it deploys to by this tag.
  tags: union(tags, { 'azd-service-name': 'gateway' })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identityId}': {}
    }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    clientAffinityEnabled: false
    clientCertEnabled: false
    keyVaultReferenceIdentity: identityId
    publicNetworkAccess: privateNetwork ? 'Disabled' : 'Enabled'
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: deploymentsUrl
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identityId
          }
        }
      }
      runtime: {
        name: 'node'
        version: nodeVersion
      }
      scaleAndConcurrency: {
        instanceMemoryMB: instanceMemory
        maximumInstanceCount: maximumInstances
        alwaysReady: alwaysReady == 0 ? [] : [
          {
            name: 'http'
            instanceCount: alwaysReady
          }
        ]
        triggers: {
          http: {
            perInstanceConcurrency: httpConcurrency
          }
        }
      }
    }
    siteConfig: {
      appSettings: [
        // The host and the code take the identity, never a key.
        {
          name: 'AzureWebJobsStorage__credential'
          value: 'managedidentity'
        }
        {
          name: 'AzureWebJobsStorage__clientId'
          value: identityClientId
        }
        {
          name: 'AzureWebJobsStorage__blobServiceUri'
          value: blobEndpoint
        }
        {
          name: 'AzureWebJobsStorage__queueServiceUri'
          value: queueEndpoint
        }
        {
          name: 'APPLICATIONINSIGHTS_CONNECTION_STRING'
          value: insights.properties.ConnectionString
        }
        {
          name: 'APPLICATIONINSIGHTS_AUTHENTICATION_STRING'
          value: 'ClientId=${identityClientId};Authorization=AAD'
        }
        {
          name: 'AzureWebJobsDisableHomepage'
          value: 'true'
        }
        {
          name: 'AZURE_CLIENT_ID'
          value: identityClientId
        }
        {
          name: 'HEDDLE_ENV'
          value: environment
        }
        {
          name: 'HEDDLE_LOG_LEVEL'
          value: logLevel
        }
        {
          name: 'HEDDLE_CONFIG'
          value: modelsFile
        }
        {
          name: 'HEDDLE_AUTH'
          value: 'keys'
        }
        {
          name: 'HEDDLE_HTTP_SECONDS'
          value: string(answerSeconds)
        }
        {
          name: 'HEDDLE_COSMOS_ENDPOINT'
          value: cosmosEndpoint
        }
        {
          name: 'HEDDLE_COSMOS_DATABASE'
          value: cosmosDatabase
        }
        {
          name: 'HEDDLE_COSMOS_CONTAINER'
          value: cosmosContainer
        }
        {
          name: 'HEDDLE_QUEUE'
          value: jobsQueue
        }
        {
          name: 'HEDDLE_BLOBS'
          value: blobsContainer
        }
        {
          name: 'HEDDLE_KEY_VAULT'
          value: vaultUrl
        }
      ]
      ftpsState: 'Disabled'
      http20Enabled: true
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
      remoteDebuggingEnabled: false
      // No cors: the platform's would stand before the gateway's own (cors.origins in heddle.yaml).
      ipSecurityRestrictionsDefaultAction: empty(frontDoorId) ? 'Allow' : 'Deny'
      ipSecurityRestrictions: empty(frontDoorId) ? [] : concat([frontDoorRule], addressRules)
      // Deployments come from elsewhere than calls do, and show an identity.
      scmIpSecurityRestrictionsUseMain: false
      scmIpSecurityRestrictionsDefaultAction: 'Allow'
    }
  }
}

resource noFtp 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-11-01' = {
  parent: app
  name: 'ftp'
  properties: {
    allow: false
  }
}

resource noScmPassword 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-11-01' = {
  parent: app
  name: 'scm'
  properties: {
    allow: false
  }
}

// Callers of one's own directory need no key then. The gateway still decides who may what, and takes its own keys from everyone else.
resource signIn 'Microsoft.Web/sites/config@2024-11-01' = if (!empty(entraClientId)) {
  parent: app
  name: 'authsettingsV2'
  properties: {
    platform: {
      enabled: true
    }
    globalValidation: {
      requireAuthentication: false
      unauthenticatedClientAction: 'AllowAnonymous'
    }
    identityProviders: {
      azureActiveDirectory: {
        enabled: true
        registration: {
          openIdIssuer: 'https://sts.windows.net/${tenant().tenantId}/v2.0'
          clientId: entraClientId
        }
        validation: {
          allowedAudiences: [entraClientId, 'api://${entraClientId}']
        }
      }
    }
    login: {
      tokenStore: {
        enabled: false
      }
    }
    httpSettings: {
      requireHttps: true
    }
  }
}

// Metrics alone: its logs reach Application Insights, and FunctionAppLogs would keep each line a second time.
resource metrics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'heddle'
  scope: app
  properties: {
    workspaceId: workspaceId
    metrics: [
      {
        category: 'AllMetrics'
        enabled: true
      }
    ]
  }
}

output id string = app.id
output name string = app.name
output host string = app.properties.defaultHostName
