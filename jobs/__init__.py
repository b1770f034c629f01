"""The stages of every study: configs, units of work, shards, run directories and the command
`python -m jobs`.
"""


class UserError(Exception):
    """Something the user can put right.  Its text is shown as it is, a line a problem, and the exit
    status is 2.
    """


class TooFewDataError(UserError):
    """Data that are whole and too few to learn from: of one system in a sweep a finding, which does
    not keep the others from going on.
    """


LONGEST_LINE = 600  # characters of a message


def one_line(text: str) -> str:
    """What a message says of a config or a file, whatever that holds: control characters by their
    codes; what is too long is cut in the middle, since both ends tell something.
    """
    plain = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    half = LONGEST_LINE // 2
    return plain if len(plain) <= LONGEST_LINE else f"{plain[: half - 5]} ... {plain[-half:]}"
