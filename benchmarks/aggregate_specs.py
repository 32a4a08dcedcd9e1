"""Two views of twenty windowed outputs each over the events of `limner.benchmarks.events`."""

_HEAD = """
entity: user
join_keys: {user_id: int}
---
source: events
path: events.parquet
entity: user
event_timestamp: happened_at
"""

# Twenty scalars that are a function of exact counts and exact sums.
INVERTIBLE = (
    _HEAD
    + """
---
feature_view: activity
entity: user
source: events
every: 1d
features:
  events: {count: "*", over: [7d, 30d, 90d]}
  spend: {sum: amount, over: [7d, 30d, 90d]}
  mean_spend: {mean: amount, over: [7d, 30d, 90d]}
  items: {sum: quantity, over: [7d, 30d, 90d]}
  large: {count: "*", where: amount > 50, over: [7d, 30d, 90d]}
  large_spend: {sum: amount, where: amount > 50, over: [7d, 30d, 90d]}
  large_share: {share: amount, where: amount > 50, over: [30d, 90d]}
"""
)

# Twenty outputs of which eleven look at the rows themselves: no earlier value says what they become when a row leaves.
EVERY_KIND = (
    _HEAD
    + """
---
feature_view: activity
entity: user
source: events
every: 1d
features:
  events: {count: "*", over: [7d, 30d, 90d]}
  spend: {sum: amount, over: [7d, 30d, 90d]}
  items: {sum: quantity, over: [7d, 30d, 90d]}
  dearest: {max: amount, over: [7d, 30d, 90d]}
  cheapest: {min: amount, over: 30d}
  median_spend: {median: amount, over: 30d}
  spread: {std: amount, over: 30d}
  categories: {distinct: category, over: [7d, 30d, 90d]}
  favourites: {top: 3, of: category, over: 30d}
  last_category: {last: category, over: 90d}
"""
)
