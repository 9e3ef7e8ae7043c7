// Alerts, one per way to fail, to one action group: those of the stack on AWS. Calls and waiting jobs are counted by the lines that the
// function app writes ({"heddle.metrics":1,…}), functions by what the host says of them.

param name string
param location string
param tags object
param workspaceId string
param cosmosId string
param actionGroupId string

@description('Minutes between two looks at the logs.')
param minutes 5 | 15
param firstTokenMilliseconds int
param spendPerHour int
param serverErrorPercent int
param answerSeconds int
param maximumInstances int

var window = 'PT${minutes}M'
var bin = '${minutes}m'

var lines = '''
AppTraces
| where Message startswith '{"heddle.metrics"'
| extend m = parse_json(Message)
'''

// The host logs the end of each invocation; one that failed comes with its exception.
var failed = '''
union AppTraces, AppExceptions
| where Message startswith "Executed 'Functions.FUNCTION' (Failed"
    or (Type == "AppExceptions" and (tostring(Properties.CategoryName) == "Function.FUNCTION" or tostring(Properties.Category) == "Function.FUNCTION"))
'''

var rules = [
  {
    name: 'gateway-errors'
    description: 'An invocation of the gateway failed: it never should, whatever a provider does.'
    severity: 1
    query: replace(failed, 'FUNCTION', 'gateway')
    measure: ''
    aggregation: 'Count'
    operator: 'GreaterThan'
    threshold: 0
    window: window
    periods: 1
    failing: 1
  }
  {
    name: 'gateway-server-errors'
    description: 'Too many calls fail, by us or by the providers.'
    severity: 1
    // One failure of three calls says nothing.
    query: '${lines}| where isnotnull(m.Requests)\n| summarize requests = sum(toint(m.Requests)), failed = sum(toint(m.Errors)) by bin(TimeGenerated, ${bin})\n| where requests >= 20\n| extend percent = 100.0 * failed / requests'
    measure: 'percent'
    aggregation: 'Maximum'
    operator: 'GreaterThan'
    threshold: serverErrorPercent
    window: window
    periods: 5
    failing: 2
  }
  {
    name: 'gateway-throttles'
    description: 'A function runs on nearly as many instances as it may: calls and jobs will wait, or be turned away.'
    severity: 2
    query: 'AppTraces\n| where Message startswith "Executed \'Functions."\n| extend function = extract("Functions[.]([a-z]+)", 1, Message)\n| summarize instances = dcount(AppRoleInstance) by function, bin(TimeGenerated, ${bin})'
    measure: 'instances'
    aggregation: 'Maximum'
    operator: 'GreaterThanOrEqual'
    threshold: max(1, maximumInstances * 9 / 10)
    window: window
    periods: 1
    failing: 1
  }
  {
    name: 'gateway-slow'
    description: 'One call in a hundred waits too long for its first token.'
    severity: 2
    query: '${lines}| where isnotnull(m.TimeToFirstToken)\n| summarize wait = percentile(todouble(m.TimeToFirstToken), 99) by bin(TimeGenerated, ${bin})'
    measure: 'wait'
    aggregation: 'Maximum'
    operator: 'GreaterThan'
    threshold: firstTokenMilliseconds
    window: window
    periods: 3
    failing: 2
  }
  {
    name: 'gateway-long'
    description: 'One call in a hundred runs into the time after which an answer ends, and has to be taken up again.'
    severity: 3
    query: '${lines}| where isnotnull(m.Duration)\n| summarize duration = percentile(todouble(m.Duration), 99) by bin(TimeGenerated, ${bin})'
    measure: 'duration'
    aggregation: 'Maximum'
    operator: 'GreaterThan'
    threshold: answerSeconds * 900
    window: window
    periods: 3
    failing: 2
  }
  {
    name: 'worker-errors'
    description: 'A background job\'s invocation failed.'
    severity: 2
    query: replace(failed, 'FUNCTION', 'worker')
    measure: ''
    aggregation: 'Count'
    operator: 'GreaterThan'
    threshold: 0
    window: window
    periods: 1
    failing: 1
  }
  {
    name: 'sweeper-errors'
    description: 'The sweeper failed: runs whose instance died wait. Or it could not look at the queue: two alerts are blind.'
    severity: 2
    query: '${replace(failed, 'FUNCTION', 'sweeper')}    or Message has "the queue could not be looked at"'
    measure: ''
    aggregation: 'Count'
    operator: 'GreaterThan'
    threshold: 0
    window: window
    periods: 3
    failing: 2
  }
  {
    name: 'sweeper-silent'
    description: 'The sweeper has not run.'
    severity: 1
    query: 'AppTraces\n| where Message startswith "Executed \'Functions.sweeper\'"'
    measure: ''
    aggregation: 'Count'
    operator: 'LessThan'
    threshold: 1
    window: 'PT15M'
    periods: 1
    failing: 1
  }
  {
    name: 'dead-letters'
    description: 'A job failed five times and lies in the poison queue.'
    severity: 1
    query: '${lines}| where isnotnull(m.DeadJobs)\n| project TimeGenerated, dead = toint(m.DeadJobs)'
    measure: 'dead'
    aggregation: 'Maximum'
    operator: 'GreaterThan'
    threshold: 0
    window: window
    periods: 1
    failing: 1
  }
  {
    name: 'queue-age'
    description: 'Background jobs wait for over 15 minutes.'
    severity: 2
    query: '${lines}| where isnotnull(m.JobAge)\n| project TimeGenerated, waited = todouble(m.JobAge)'
    measure: 'waited'
    aggregation: 'Maximum'
    operator: 'GreaterThan'
    // Seconds.
    threshold: 900
    window: window
    periods: 2
    failing: 2
  }
  {
    name: 'spend'
    description: 'Model calls cost more within an hour than they should.'
    severity: 2
    query: '${lines}| where isnotnull(m.Cost)\n| extend cost = todouble(m.Cost)\n| project TimeGenerated, cost'
    measure: 'cost'
    aggregation: 'Total'
    operator: 'GreaterThan'
    threshold: spendPerHour
    window: 'PT1H'
    periods: 1
    failing: 1
  }
  {
    name: 'budget'
    description: 'A budget is about to be used up, or is.'
    severity: 3
    query: '${lines}| where toint(m.BudgetAlerts) > 0\n| project TimeGenerated, budgets = toint(m.BudgetAlerts)'
    measure: 'budgets'
    aggregation: 'Total'
    operator: 'GreaterThan'
    threshold: 0
    window: window
    periods: 1
    failing: 1
  }
]

resource alerts 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [for rule in rules: {
  name: '${name}-${rule.name}'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: '${name}-${rule.name}'
    description: rule.description
    severity: rule.severity
    enabled: true
    scopes: [workspaceId]
    evaluationFrequency: window
    windowSize: rule.window
    autoMitigate: true
    // The tables of a new workspace are there with their first rows.
    skipQueryValidation: true
    criteria: {
      allOf: [
        {
          query: rule.query
          metricMeasureColumn: empty(rule.measure) ? null : rule.measure
          timeAggregation: rule.aggregation
          operator: rule.operator
          threshold: rule.threshold
          failingPeriods: {
            numberOfEvaluationPeriods: rule.periods
            minFailingPeriodsToAlert: rule.failing
          }
        }
      ]
    }
    actions: {
      actionGroups: [actionGroupId]
    }
  }
}]

resource throttles 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: '${name}-table-throttles'
  location: 'global'
  tags: tags
  properties: {
    description: 'Cosmos DB turns requests away: one partition is too hot, or the request units are used up.'
    severity: 2
    enabled: true
    scopes: [cosmosId]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    autoMitigate: true
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          name: 'throttled'
          criterionType: 'StaticThresholdCriterion'
          metricNamespace: 'Microsoft.DocumentDB/databaseAccounts'
          metricName: 'TotalRequests'
          timeAggregation: 'Count'
          operator: 'GreaterThan'
          // The client tries again: a few are no harm.
          threshold: 10
          dimensions: [
            {
              name: 'StatusCode'
              operator: 'Include'
              values: ['429']
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
