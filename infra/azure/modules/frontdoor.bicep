// What Front Door does: the console on / and /console/, the gateway on everything else, uncached and uncompressed, and a firewall.

param name string
param location string
param tags object
param profileName string
param tier 'Standard' | 'Premium'
param appHost string

@description('The function app\'s id, where Front Door reaches it by private link. Empty: over the internet.')
param privateAppId string

@description('Empty: no console.')
param consoleHost string

@description('Of your own, such as ai.example.com. Empty: Front Door\'s.')
param domainName string

@description('Id of the zone of Azure DNS that has the domain. Empty: kept elsewhere.')
param dnsZoneId string
param firewall bool

@description('Requests of one address in five minutes.')
param firewallRate int

resource profile 'Microsoft.Cdn/profiles@2025-04-15' existing = {
  name: profileName
}

resource endpoint 'Microsoft.Cdn/profiles/afdEndpoints@2025-04-15' = {
  parent: profile
  name: name
  location: 'global'
  tags: tags
  properties: {
    enabledState: 'Enabled'
  }
}

resource gateway 'Microsoft.Cdn/profiles/originGroups@2025-04-15' = {
  parent: profile
  name: 'gateway'
  properties: {
    sessionAffinityState: 'Disabled'
    // There is one origin: it gets the calls whatever a probe says, and probes would keep it awake.
    loadBalancingSettings: {
      sampleSize: 4
      successfulSamplesRequired: 2
      additionalLatencyInMilliseconds: 0
    }
  }
}

resource gatewayOrigin 'Microsoft.Cdn/profiles/originGroups/origins@2025-04-15' = {
  parent: gateway
  name: 'functions'
  properties: union({
    hostName: appHost
    originHostHeader: appHost
    httpPort: 80
    httpsPort: 443
    priority: 1
    weight: 1000
    enabledState: 'Enabled'
    enforceCertificateNameCheck: true
  }, empty(privateAppId) ? {} : {
    sharedPrivateLinkResource: {
      groupId: 'sites'
      privateLinkLocation: location
      requestMessage: 'Heddle\'s Front Door'
      privateLink: {
        id: privateAppId
      }
    }
  })
}

resource pages 'Microsoft.Cdn/profiles/originGroups@2025-04-15' = if (!empty(consoleHost)) {
  parent: profile
  name: 'console'
  properties: {
    sessionAffinityState: 'Disabled'
    loadBalancingSettings: {
      sampleSize: 4
      successfulSamplesRequired: 2
      additionalLatencyInMilliseconds: 0
    }
  }
}

resource pagesOrigin 'Microsoft.Cdn/profiles/originGroups/origins@2025-04-15' = if (!empty(consoleHost)) {
  parent: pages
  name: 'console'
  properties: {
    hostName: consoleHost
    originHostHeader: consoleHost
    httpPort: 80
    httpsPort: 443
    priority: 1
    weight: 1000
    enabledState: 'Enabled'
    enforceCertificateNameCheck: true
  }
}

resource domain 'Microsoft.Cdn/profiles/customDomains@2025-04-15' = if (!empty(domainName)) {
  parent: profile
  name: replace(empty(domainName) ? 'none' : domainName, '.', '-')
  properties: union({
    hostName: domainName
    tlsSettings: {
      certificateType: 'ManagedCertificate'
      minimumTlsVersion: 'TLS12'
    }
  }, empty(dnsZoneId) ? {} : {
    azureDnsZone: {
      id: dnsZoneId
    }
  })
}

// No cacheConfiguration: nothing is cached and nothing is compressed, which would hold a stream back.
resource calls 'Microsoft.Cdn/profiles/afdEndpoints/routes@2025-04-15' = {
  parent: endpoint
  name: 'gateway'
  properties: {
    originGroup: {
      id: gateway.id
    }
    customDomains: empty(domainName) ? [] : [
      {
        id: domain.id
      }
    ]
    patternsToMatch: ['/*']
    supportedProtocols: ['Https']
    httpsRedirect: 'Disabled'
    forwardingProtocol: 'HttpsOnly'
    linkToDefaultDomain: 'Enabled'
    enabledState: 'Enabled'
  }
  dependsOn: [gatewayOrigin]
}

resource console 'Microsoft.Cdn/profiles/afdEndpoints/routes@2025-04-15' = if (!empty(consoleHost)) {
  parent: endpoint
  name: 'console'
  properties: {
    originGroup: {
      id: pages.id
    }
    customDomains: empty(domainName) ? [] : [
      {
        id: domain.id
      }
    ]
    patternsToMatch: ['/', '/index.html', '/console/*']
    supportedProtocols: ['Http', 'Https']
    httpsRedirect: 'Enabled'
    forwardingProtocol: 'HttpsOnly'
    linkToDefaultDomain: 'Enabled'
    enabledState: 'Enabled'
    cacheConfiguration: {
      queryStringCachingBehavior: 'IgnoreQueryString'
      compressionSettings: {
        isCompressionEnabled: true
        contentTypesToCompress: ['text/html', 'text/css', 'text/javascript', 'application/javascript', 'application/json', 'image/svg+xml']
      }
    }
  }
  dependsOn: [pagesOrigin]
}

// Managed rules are Premium's. Prompts are longer than the 128 KB that a firewall looks at, and hold markup, paths and code: rules about
// bodies would block them, so only what stands outside a body is looked at, and the gateway checks sizes itself.
resource rules 'Microsoft.Network/FrontDoorWebApplicationFirewallPolicies@2024-02-01' = if (firewall) {
  name: replace('waf${name}', '-', '')
  location: 'global'
  tags: tags
  sku: {
    name: '${tier}_AzureFrontDoor'
  }
  properties: {
    policySettings: {
      enabledState: 'Enabled'
      mode: 'Prevention'
      requestBodyCheck: 'Disabled'
      customBlockResponseStatusCode: 403
      logScrubbing: {
        state: 'Enabled'
        scrubbingRules: [
          {
            matchVariable: 'QueryStringArgNames'
            selectorMatchOperator: 'EqualsAny'
            state: 'Enabled'
          }
          {
            matchVariable: 'RequestHeaderNames'
            selectorMatchOperator: 'EqualsAny'
            state: 'Enabled'
          }
        ]
      }
    }
    customRules: {
      rules: [
        {
          name: 'rate'
          priority: 100
          enabledState: 'Enabled'
          ruleType: 'RateLimitRule'
          rateLimitDurationInMinutes: 5
          rateLimitThreshold: firewallRate
          action: 'Block'
          matchConditions: [
            {
              matchVariable: 'RequestUri'
              operator: 'Contains'
              matchValue: ['/']
            }
          ]
        }
        {
          name: 'largebodies'
          priority: 200
          enabledState: 'Enabled'
          ruleType: 'MatchRule'
          action: 'Log'
          matchConditions: [
            {
              matchVariable: 'RequestHeader'
              selector: 'Content-Length'
              operator: 'GreaterThan'
              matchValue: ['1048576']
            }
          ]
        }
      ]
    }
    managedRules: {
      managedRuleSets: tier == 'Premium' ? [
        {
          ruleSetType: 'Microsoft_DefaultRuleSet'
          ruleSetVersion: '2.1'
          ruleSetAction: 'Block'
        }
        {
          ruleSetType: 'Microsoft_BotManagerRuleSet'
          // Bad bots are blocked; unknown ones, such as every SDK, are only logged.
          ruleSetVersion: '1.1'
        }
      ] : []
    }
  }
}

resource guard 'Microsoft.Cdn/profiles/securityPolicies@2025-04-15' = if (firewall) {
  parent: profile
  name: 'firewall'
  properties: {
    parameters: {
      type: 'WebApplicationFirewall'
      wafPolicy: {
        id: rules.id
      }
      associations: [
        {
          patternsToMatch: ['/*']
          domains: concat([
            {
              id: endpoint.id
            }
          ], empty(domainName) ? [] : [
            {
              id: domain.id
            }
          ])
        }
      ]
    }
  }
}

output host string = endpoint.properties.hostName
