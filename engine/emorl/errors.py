"""The error tree: catch ``EmorlError`` to catch everything this project raises on purpose.

::

    EmorlError
    ├── InputError            the user can mend it: exit code 2
    │   ├── ConfigError       a setting
    │   ├── DataError         a data file
    │   ├── ModelError        a model or adapter folder
    │   ├── RewardError       a reward: unknown, not loadable, or a score outside [0, 1]
    │   ├── WeightsError      a weight vector
    │   ├── PromptError       a prompt
    │   ├── MemoryBudgetError a memory budget too small for one response
    │   ├── RunNotFoundError  a run that is not there
    │   ├── PlugInError       a kind from outside raised, or returned what it must not
    │   └── StudyError        a study, an annotator or a rating
    │       ├── ItemTakenError      an item has all its ratings
    │       └── AnswerChangedError  the answer is not the current one any more
    └── FailureError          something outside broke: exit code 1
        ├── TrainingError     the policy diverged
        ├── ScoresError       a model's scores are NaN or infinite
        ├── WorkerLostError   a worker ended again and again while it did the same work
        ├── DivergedError     the same work gave other results than those that are stored
        └── StoreError        a database or snapshot cannot be read or written
            ├── RunLockedError      another engine works on the run
            ├── StoreInUseError     another dashboard holds the ratings
            ├── SchemaVersionError  the file was written by another version
            └── DiskError           no room, or the disk refused the write

Every message says what was expected, what came, and what to do.
"""


class EmorlError(Exception):
    """Root of every error that this project raises on purpose."""

    exit_code = 1


class InputError(EmorlError):
    """Something the user gave does not fit; the message says how to mend it."""

    exit_code = 2


class ConfigError(InputError):
    """A setting is unknown, of the wrong type, or impossible."""


class DataError(InputError):
    """A data file is missing, unreadable, or has bad rows."""


class ModelError(InputError):
    """A model or adapter cannot be loaded or does not fit the others."""


class RewardError(InputError):
    """A reward is unknown, cannot be loaded, or returned a value outside [0, 1]."""


class WeightsError(InputError):
    """A weight vector has the wrong length or impossible numbers."""


class PromptError(InputError):
    """A prompt is empty or longer than the policy can read."""


class MemoryBudgetError(InputError):
    """The memory budget is too small for even one response."""


class RunNotFoundError(InputError):
    """There is no run of that name."""


class PlugInError(InputError):
    """A kind that comes from outside the package raised, or returned what it must not."""


class StudyError(InputError):
    """A study, an annotator or a rating is unknown or refused."""


class ItemTakenError(StudyError):
    """An item of a study has, or is about to get, all its ratings from others."""


class AnswerChangedError(StudyError):
    """An answer was to be replaced that is not the current one any more."""


class FailureError(EmorlError):
    """Something outside of the user's input broke; what was acknowledged is kept."""


class TrainingError(FailureError):
    """Training cannot go on: the loss, a gradient or a probability is not a number."""


class ScoresError(FailureError):
    """A model's scores of the next token are NaN or infinite."""


class WorkerLostError(FailureError):
    """A worker process ended several times while it did the same unit of work."""


class DivergedError(FailureError):
    """A unit of work was done again and gave other results than those that are stored."""


class StoreError(FailureError):
    """A database or a published snapshot cannot be read or written."""


class RunLockedError(StoreError):
    """Another process holds the run's database."""


class StoreInUseError(StoreError):
    """Another dashboard holds the database of ratings."""


class SchemaVersionError(StoreError):
    """The file was written by another version of this project."""


class DiskError(StoreError):
    """The disk is full or refused the write; committed rows are kept."""
