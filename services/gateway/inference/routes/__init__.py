"""The routes of inference, one module a resource. They read and check bodies; what is paid goes through `paid_call`."""
