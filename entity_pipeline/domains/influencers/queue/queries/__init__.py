"""SQL of the queue beside the statements of `shared/tasks`."""
