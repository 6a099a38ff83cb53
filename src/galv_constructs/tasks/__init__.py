"""Tasks that share a `TaskRuntime`: in a deployment, on a schedule, by hand."""
