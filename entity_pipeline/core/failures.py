"""Failures, grouped by what to do next. SDK exceptions become one of these in `resources/` only.

PipelineFailure               its text is one sentence that says what to do
├── ConfigurationFailure      someone has to change the configuration; retrying won't help
│   ├── NotConfigured         none of the variables of an optional service is set
│   ├── SchemaMismatch        a table or column is missing in a database
│   └── ModelUnavailable      Gemini does not know the model, or refuses the key
├── TransientFailure          the same call may succeed later
│   └── DatabaseUnavailable   a database did not answer; pay for nothing meanwhile
├── ObjectRefused             the object store does not take this one object; others may pass
└── InputRejected             a file or argument from a person can't be used as it is
"""


class PipelineFailure(Exception):
    """Base of every failure this project names; ``str()`` is a sentence for the person who runs it."""


class ConfigurationFailure(PipelineFailure):
    """A variable, a setting or a schema is missing or wrong."""


class NotConfigured(ConfigurationFailure):
    """None of the variables of an optional service is set."""


class SchemaMismatch(ConfigurationFailure):
    """A database lacks a table or column that the pipeline needs."""


class ModelUnavailable(ConfigurationFailure):
    """Gemini refuses the configured model or key (HTTP 400, 401, 403 or 404)."""


class TransientFailure(PipelineFailure):
    """The same call may succeed later."""


class DatabaseUnavailable(TransientFailure):
    """A database can't be reached or dropped the connection."""


class ObjectRefused(PipelineFailure):
    """The object store does not take this one object; others may pass."""


class InputRejected(PipelineFailure):
    """A file or an argument from a person can't be used as it is."""
