"""The one error type that a user of the trainer is meant to read."""


class UserError(Exception):
    """Something outside the program is wrong: a file, a flag, a recipe.

    The message says what is wrong, where, and what to do. The command line prints it without a traceback.
    """
