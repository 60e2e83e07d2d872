"""The database of the bridge: every verb one transaction. Step "queue" of the flow."""
