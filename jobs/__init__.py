"""The stages of every study: configs, units of work, shards, run directories and the command
`python -m jobs`.
"""


class UserError(Exception):
    """Something the user can put right.  Its text is shown as it is, a line a problem, and the exit
    status is 2.
    """
