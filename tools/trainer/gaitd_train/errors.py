"""The error type whose messages are for the user."""


class UserError(Exception):
    """Something outside the program is wrong: a file, a flag, a recipe.

    The message names what is wrong, where, and what to do. The command line prints it without a traceback.
    """
