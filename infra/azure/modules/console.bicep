// Where a web console lies: a Static Web App, which Bicep makes whole (a storage account's website is switched on beside it, by hand), and
// whose headers stand in its own file. Its pages call the gateway itself: a Static Web App's own /api ends after 45 seconds.

param name string

@description('Of the few regions that have Static Web Apps. Pages are served from everywhere.')
param location string
param tags object

resource site 'Microsoft.Web/staticSites@2024-11-01' = {
  name: name
  location: location
  tags: tags
  sku: {
    name: 'Free'
    tier: 'Free'
  }
  properties: {
    stagingEnvironmentPolicy: 'Disabled'
    allowConfigFileUpdates: true
    provider: 'None'
  }
}

output name string = site.name
output host string = site.properties.defaultHostname
