// API Management beside the gateway's own address, for those who want its subscriptions, products and token limits: an API for each wire,
// streaming. What it asks for (a subscription) comes before Heddle's own keys, not in their place.

param name string
param location string
param tags object
param tier 'BasicV2' | 'StandardV2'
param publisherEmail string
param appHost string

@description('Tokens a minute of one subscription.')
param tokensPerMinute int

@description('Where its calls leave from, so that it reaches a private function app (StandardV2). Empty: no network.')
param subnetId string
param actionGroupId string
param workspaceId string

var methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS']

// Gemini's wire is none that API Management counts tokens of (it names OpenAI's, Anthropic's and Vertex AI's): calls are counted there.
var wires = [
  {
    name: 'openai'
    title: 'OpenAI\'s wire, threads and administration'
    limit: loadTextContent('apim-tokens.xml')
  }
  {
    name: 'anthropic'
    title: 'Anthropic\'s wire'
    limit: loadTextContent('apim-tokens.xml')
  }
  {
    name: 'gemini'
    title: 'Gemini\'s wire'
    limit: loadTextContent('apim-calls.xml')
  }
]

resource service 'Microsoft.ApiManagement/service@2024-05-01' = {
  name: name
  location: location
  tags: tags
  sku: {
    name: tier
    capacity: 1
  }
  properties: {
    publisherEmail: publisherEmail
    publisherName: 'Heddle'
    developerPortalStatus: 'Disabled'
    legacyPortalStatus: 'Disabled'
    virtualNetworkType: empty(subnetId) ? 'None' : 'External'
    virtualNetworkConfiguration: empty(subnetId) ? null : {
      subnetResourceId: subnetId
    }
  }
}

resource apis 'Microsoft.ApiManagement/service/apis@2024-05-01' = [for wire in wires: {
  parent: service
  name: wire.name
  properties: {
    displayName: wire.title
    path: wire.name
    protocols: ['https']
    type: 'http'
    serviceUrl: 'https://${appHost}'
    subscriptionRequired: true
    subscriptionKeyParameterNames: {
      header: 'ocp-apim-subscription-key'
      query: 'subscription-key'
    }
  }
}]

resource operations 'Microsoft.ApiManagement/service/apis/operations@2024-05-01' = [for index in range(0, length(wires) * length(methods)): {
  parent: apis[index / length(methods)]
  name: toLower(methods[index % length(methods)])
  properties: {
    displayName: methods[index % length(methods)]
    method: methods[index % length(methods)]
    urlTemplate: '/*'
  }
}]

resource policies 'Microsoft.ApiManagement/service/apis/policies@2024-05-01' = [for (wire, index) in wires: {
  parent: apis[index]
  name: 'policy'
  properties: {
    format: 'rawxml'
    value: replace(replace(wire.limit, 'TOKENS_PER_MINUTE', string(tokensPerMinute)), 'CALLS_PER_MINUTE', string(max(1, tokensPerMinute / 1000)))
  }
}]

// Metrics alone: GatewayLogs would keep each URL, and Gemini clients send their key in it.
resource metrics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'heddle'
  scope: service
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

resource serverErrors 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: '${name}-server-errors'
  location: 'global'
  tags: tags
  properties: {
    description: 'API Management answers with 5xx.'
    severity: 2
    enabled: true
    scopes: [service.id]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    autoMitigate: true
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          name: 'failed'
          criterionType: 'StaticThresholdCriterion'
          metricNamespace: 'Microsoft.ApiManagement/service'
          metricName: 'Requests'
          timeAggregation: 'Total'
          operator: 'GreaterThan'
          threshold: 5
          dimensions: [
            {
              name: 'GatewayResponseCodeCategory'
              operator: 'Include'
              values: ['5xx']
            }
          ]
        }
      ]
    }
    actions: [
      {
        actionGroupId: actionGroupId
      }
    ]
  }
}

output name string = service.name
output url string = service.properties.gatewayUrl
output addresses array = service.properties.?publicIPAddresses ?? []
