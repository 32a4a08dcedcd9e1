"""The spec language: YAML documents read into frozen models, with errors that say where and what to do.

`repo.load` reads a folder of specs; `columns.check` holds them against the data; `outputs`, `fingerprint` and
`closure` say what a feature view produces, when it counts as the same, and all that it depends on.
"""
