// Private endpoints of everything that keeps or takes data, but the function app's own (which is not there yet), and the scope that
// lets telemetry take that way, too.

param name string
param location string
param tags object
param subnetId string

@description('Ids of the private DNS zones, by what they are for.')
param zoneIds object
param storageId string
param cosmosId string
param vaultId string
param workspaceId string
param insightsId string

resource monitorScope 'microsoft.insights/privateLinkScopes@2021-07-01-preview' = {
  name: 'ampls-${name}'
  location: 'global'
  tags: tags
  properties: {
    accessModeSettings: {
      ingestionAccessMode: 'PrivateOnly'
      queryAccessMode: 'PrivateOnly'
    }
  }
}

resource scopedWorkspace 'Microsoft.Insights/privateLinkScopes/scopedResources@2021-07-01-preview' = {
  parent: monitorScope
  name: 'workspace'
  properties: {
    linkedResourceId: workspaceId
  }
}

resource scopedInsights 'Microsoft.Insights/privateLinkScopes/scopedResources@2021-07-01-preview' = {
  parent: monitorScope
  name: 'insights'
  properties: {
    linkedResourceId: insightsId
  }
  dependsOn: [scopedWorkspace]
}

module blob 'private-endpoint.bicep' = {
  name: 'endpoint-blob'
  params: {
    name: '${name}-blob'
    location: location
    tags: tags
    subnetId: subnetId
    targetId: storageId
    group: 'blob'
    zoneIds: [zoneIds.blob]
  }
}

module queue 'private-endpoint.bicep' = {
  name: 'endpoint-queue'
  params: {
    name: '${name}-queue'
    location: location
    tags: tags
    subnetId: subnetId
    targetId: storageId
    group: 'queue'
    zoneIds: [zoneIds.queue]
  }
}

module cosmos 'private-endpoint.bicep' = {
  name: 'endpoint-cosmos'
  params: {
    name: '${name}-cosmos'
    location: location
    tags: tags
    subnetId: subnetId
    targetId: cosmosId
    group: 'Sql'
    zoneIds: [zoneIds.cosmos]
  }
}

module vault 'private-endpoint.bicep' = {
  name: 'endpoint-vault'
  params: {
    name: '${name}-vault'
    location: location
    tags: tags
    subnetId: subnetId
    targetId: vaultId
    group: 'vault'
    zoneIds: [zoneIds.vault]
  }
}

// Its addresses stand in the blob zone, too, which therefore must be there first.
module monitor 'private-endpoint.bicep' = {
  name: 'endpoint-monitor'
  params: {
    name: '${name}-monitor'
    location: location
    tags: tags
    subnetId: subnetId
    targetId: monitorScope.id
    group: 'azuremonitor'
    zoneIds: [zoneIds.monitor, zoneIds.oms, zoneIds.ods, zoneIds.agents, zoneIds.blob]
  }
  dependsOn: [scopedInsights, blob]
}
