// Key Vault: one secret each for the providers' keys, the admin key and the pepper. Values are put there by you and by pepper.sh, never
// by a template: a template's function would make a new pepper with each deployment, and a parameter would leave it in its history.

@minLength(3)
@maxLength(24)
param name string
param location string
param tags object

@description('Takes back a vault of this name that was deleted less than 90 days ago.')
param recover bool

@description('No way in but private endpoints.')
param privateNetwork bool

@description('Nobody deletes the vault by mistake.')
param locked bool
param workspaceId string

resource vault 'Microsoft.KeyVault/vaults@2024-11-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    tenantId: tenant().tenantId
    sku: {
      family: 'A'
      name: 'standard'
    }
    createMode: recover ? 'recover' : 'default'
    enableRbacAuthorization: true
    enableSoftDelete: true
    softDeleteRetentionInDays: 90
    enablePurgeProtection: true
    enabledForDeployment: false
    enabledForDiskEncryption: false
    enabledForTemplateDeployment: false
    publicNetworkAccess: privateNetwork ? 'Disabled' : 'Enabled'
    networkAcls: {
      defaultAction: privateNetwork ? 'Deny' : 'Allow'
      bypass: 'None'
    }
  }
}

resource lock 'Microsoft.Authorization/locks@2020-05-01' = if (locked) {
  name: 'kept'
  scope: vault
  properties: {
    level: 'CanNotDelete'
    notes: 'Without its pepper no key of Heddle is valid. docs/deploy-azure.md says how to take it down.'
  }
}

// Who read which secret, when; not its value.
resource logs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'heddle'
  scope: vault
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        category: 'AuditEvent'
        enabled: true
      }
      {
        category: 'AzurePolicyEvaluationDetails'
        enabled: true
      }
    ]
    metrics: [
      {
        category: 'AllMetrics'
        enabled: true
      }
    ]
  }
}

output id string = vault.id
output name string = vault.name
output url string = vault.properties.vaultUri
