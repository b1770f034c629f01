"""YAML 1.2 in and out, by PyYAML: numbers as one expects them, no key twice, plain data alone.

PyYAML reads YAML 1.1, where 010 is 8, 1:30 is 90, 1e4 is text, `no` is false and 2026-01-01 a date.
Here the rules of the core schema hold (YAML 1.2.2, section 10.3.2): 010 is 10, 1e4 is a number,
1:30, `no` and a date are text. Keys are text, as written. Refused: a key that stands twice in a
block, an alias within what it names, tags of other types (PyYAML makes dates, bytes and sets of
them), nesting deeper than any config's, more values than any config has.
"""

import re

import yaml

DEEPEST = 30  # blocks within blocks
LONGEST_NUMBER = 40  # digits
MOST_VALUES = 20_000  # and keys, those that aliases repeat among them
TAG = "tag:yaml.org,2002:"
CORE = [  # tag, pattern, first characters
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    (
        "float",
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
        r"|[-+]?\.(?:inf|Inf|INF)|\.nan|\.NaN|\.NAN",
        list("-+.0123456789"),
    ),
]


class Loader(yaml.SafeLoader):
    """See the module."""

    def __init__(self, stream):
        super().__init__(stream)
        self.depth, self.unfinished = 0, set()
        self.values, self.of_anchor = 0, {}  # how many there are so far, and below each anchor

    def compose_node(self, parent, index):
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent) and event.anchor in self.unfinished:
            raise yaml.composer.ComposerError(
                None,
                None,
                f"the alias *{event.anchor} stands within what it names",
                event.start_mark,
            )
        anchor = None if isinstance(event, yaml.AliasEvent) else getattr(event, "anchor", None)
        self.depth += 1
        if self.depth > DEEPEST:
            raise yaml.composer.ComposerError(
                None, None, f"blocks are nested more than {DEEPEST} deep", event.start_mark
            )
        self.unfinished.add(anchor)
        before = self.values
        node = super().compose_node(parent, index)
        self.values += self.of_anchor.get(event.anchor, 1) if anchor is None else 1
        if anchor is not None:
            self.of_anchor[anchor] = self.values - before
        if self.values > MOST_VALUES:
            raise yaml.composer.ComposerError(
                None, None, f"more than {MOST_VALUES} values, aliases followed", event.start_mark
            )
        self.unfinished.discard(anchor)
        self.depth -= 1
        return node

    def construct_object(self, node, deep=False):
        try:
            return super().construct_object(node, deep)
        except (ValueError, KeyError, TypeError, IndexError, AttributeError):
            short = node.value if isinstance(node.value, str) and len(node.value) < 40 else "this"
            raise yaml.constructor.ConstructorError(
                None, None, f"{short!r} is no {node.tag.rpartition(':')[2]}", node.start_mark
            ) from None

    def construct_mapping(self, node, deep=False):
        seen = {}
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if key.tag.endswith(":merge") or not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None,
                    None,
                    f"the key {key.value!r} stands twice, first in line {seen[key.value]}",
                    key.start_mark,
                )
            seen[key.value] = key.start_mark.line + 1
        if isinstance(node, yaml.MappingNode):
            self.flatten_mapping(node)
            node.value = [(as_text(key), item) for key, item in node.value]
        return super().construct_mapping(node, deep)

    def whole(self, node):
        text = self.construct_scalar(node)
        if len(text) > LONGEST_NUMBER:
            raise yaml.constructor.ConstructorError(
                None, None, f"a number of {len(text)} digits", node.start_mark
            )
        return int(text, 8 if text.startswith("0o") else 16 if text.startswith("0x") else 10)

    def number(self, node):
        text = self.construct_scalar(node).lower()
        return float(re.sub(r"\.(?=inf|nan)", "", text))


def as_text(key: yaml.Node) -> yaml.Node:
    """A key as it is written, where it would be a number or another value of the schema."""
    if key.tag not in [TAG + name for name, _, _ in CORE]:
        return key
    return yaml.ScalarNode(f"{TAG}str", key.value, key.start_mark, key.end_mark)


class Dumper(yaml.SafeDumper):
    """Writes what Loader, and readers of YAML 1.1, read as the same."""


Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in CORE:
    for _class in (Loader, Dumper):
        _class.add_implicit_resolver(f"{TAG}{_tag}", re.compile(f"^(?:{_pattern})$"), _first)
Loader.add_implicit_resolver(f"{TAG}merge", re.compile("^(?:<<)$"), ["<"])
Loader.yaml_constructors = {
    tag: make
    for tag, make in yaml.SafeLoader.yaml_constructors.items()
    if tag in (None, *(TAG + name for name in ("null", "bool", "str", "seq", "map")))
}
Loader.add_constructor(f"{TAG}int", Loader.whole)
Loader.add_constructor(f"{TAG}float", Loader.number)


def load(text: str):
    """Plain data.  Raises yaml.YAMLError with the line (`problem_mark`) and what is wrong
    (`problem`).
    """
    try:
        return yaml.load(text, Loader)
    except RecursionError:
        raise yaml.YAMLError("nested too deep") from None


def dump(data) -> str:
    return yaml.dump(data, Dumper=Dumper, sort_keys=False, allow_unicode=True)
