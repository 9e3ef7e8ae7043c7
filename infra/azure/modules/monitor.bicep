// Log Analytics, Application Insights over it, and whom alerts go to. Telemetry is taken from identities alone: the connection string
// that the app has names a place and is no key.

param name string
param location string
param tags object

@minValue(30)
@maxValue(730)
param retentionDays int

@description('GB a day, above which nothing more is taken until the next. -1: no end.')
param dailyCapGb int

@description('Telemetry comes and queries are asked through private endpoints alone.')
param privateNetwork bool
param alarmEmail string

var access = privateNetwork ? 'Disabled' : 'Enabled'

resource workspace 'Microsoft.OperationalInsights/workspaces@2023-09-01' = {
  name: 'log-${name}'
  location: location
  tags: tags
  properties: {
    sku: {
      name: 'PerGB2018'
    }
    retentionInDays: retentionDays
    workspaceCapping: {
      dailyQuotaGb: dailyCapGb
    }
    features: {
      disableLocalAuth: true
      enableLogAccessUsingOnlyResourcePermissions: true
    }
    publicNetworkAccessForIngestion: access
    publicNetworkAccessForQuery: access
  }
}

resource insights 'Microsoft.Insights/components@2020-02-02' = {
  name: 'appi-${name}'
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: workspace.id
    IngestionMode: 'LogAnalytics'
    DisableLocalAuth: true
    DisableIpMasking: false
    publicNetworkAccessForIngestion: access
    publicNetworkAccessForQuery: access
  }
}

resource actionGroup 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: 'ag-${name}'
  location: 'global'
  tags: tags
  properties: {
    enabled: true
    groupShortName: 'heddle'
    emailReceivers: empty(alarmEmail) ? [] : [
      {
        name: 'alarms'
        emailAddress: alarmEmail
        useCommonAlertSchema: true
      }
    ]
  }
}

// Who asked the workspace what.
resource audit 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'heddle'
  scope: workspace
  properties: {
    workspaceId: workspace.id
    logs: [
      {
        category: 'Audit'
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

output workspaceId string = workspace.id
output insightsId string = insights.id
output insightsName string = insights.name
output actionGroupId string = actionGroup.id
