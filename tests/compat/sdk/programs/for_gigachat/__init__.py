"""What the `gigachat` SDK can do, scenario by scenario. Runs in the SDK's environment, not in the project's."""
