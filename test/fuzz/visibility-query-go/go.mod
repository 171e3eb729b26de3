// The version is that of the engine's own go.mod (go.temporal.io/server v1.31.2): it is its parser that counts.
module gatehouse.local/visibilityquery

go 1.26.8

require github.com/temporalio/sqlparser v0.0.0-20231115171017-f4060bcfa6cb
