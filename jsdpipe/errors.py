"""The errors that are the user's to mend."""


class UserError(Exception):
    """A mistake in the input: one line that says what is wrong, where, and what to do.

    The command line prints it without a traceback and exits with status 2.
    """
