"""What can go wrong, by what to do about it. SDK exceptions become one of these in `resources/` only.

PipelineFailure               its text is one sentence that says what to do
├── ConfigurationFailure      a person must change something; retrying is useless
│   ├── NotConfigured         a service that may be left out has none of its variables
│   ├── SchemaMismatch        a table or column is missing in a database
│   └── ModelUnavailable      Gemini does not know the model, or refuses the key
├── TransientFailure          the same call may succeed later
│   └── DatabaseUnavailable   a database did not answer; nothing may be paid meanwhile
└── InputRejected             a file or argument given by a person can't be used as it is
"""


class PipelineFailure(Exception):
    """Base of every failure this project names; ``str()`` is a sentence for the person who runs it."""


class ConfigurationFailure(PipelineFailure):
    """A variable, a setting or a schema is missing or wrong."""


class NotConfigured(ConfigurationFailure):
    """A variable of a service that may be left out is empty."""


class SchemaMismatch(ConfigurationFailure):
    """A database lacks a table or column that the pipeline needs."""


class ModelUnavailable(ConfigurationFailure):
    """Gemini refuses the configured model or key (HTTP 400, 401, 403 or 404)."""


class TransientFailure(PipelineFailure):
    """The same call may succeed later."""


class DatabaseUnavailable(TransientFailure):
    """A database can't be reached or dropped the connection."""


class InputRejected(PipelineFailure):
    """A file or an argument given by a person can't be used as it is."""
