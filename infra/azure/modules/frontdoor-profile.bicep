// Front Door's profile, before the function app: the app lets in no other Front Door than the one whose id this is.

param name string
param tags object
param tier 'Standard' | 'Premium'
param workspaceId string

resource profile 'Microsoft.Cdn/profiles@2025-04-15' = {
  name: name
  location: 'global'
  tags: tags
  sku: {
    name: '${tier}_AzureFrontDoor'
  }
  properties: {
    // The longest that Front Door waits for an origin; heartbeats come every 12 s.
    originResponseTimeoutSeconds: 240
    // Gemini clients send their key as ?key=.
    logScrubbing: {
      state: 'Enabled'
      scrubbingRules: [
        {
          matchVariable: 'QueryStringArgNames'
          selectorMatchOperator: 'EqualsAny'
          state: 'Enabled'
        }
      ]
    }
  }
}

// No access log: it would tell who calls what, and the gateway logs every call itself, without keys.
resource logs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'heddle'
  scope: profile
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        category: 'FrontDoorHealthProbeLog'
        enabled: true
      }
      {
        category: 'FrontDoorWebApplicationFirewallLog'
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

output name string = profile.name
output frontDoorId string = profile.properties.frontDoorId
