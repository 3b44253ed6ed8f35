"""A launch file as a tree of elements with their lines, held to what tags and attributes exist."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from .errors import LaunchError

CONDITIONS = frozenset({"if", "unless"})
PROCESS = CONDITIONS | {
    "cwd",
    "name",
    "launch-prefix",
    "output",
    "respawn",
    "respawn_delay",
    "shell",
}
NODE = (PROCESS - {"shell"}) | {"pkg", "exec", "namespace", "exec_name", "args", "ros_args"}
ACTIONS = frozenset(
    {
        "append_env",
        "arg",
        "executable",
        "group",
        "include",
        "let",
        "log",
        "node",
        "push-ros-namespace",
        "push_ros_namespace",
        "set_env",
        "unset_env",
    }
)


@dataclass(frozen=True)
class Rule:
    """What an element may have, and what it must have."""

    attributes: frozenset[str]
    required: tuple[str, ...] = ()
    children: frozenset[str] = frozenset()


NAME_VALUE = Rule(frozenset({"name", "value"}), ("name", "value"))
SET = Rule(CONDITIONS | {"name", "value"}, ("name", "value"))
NAMESPACE = Rule(CONDITIONS | {"namespace"}, ("namespace",))
# An element's rule may depend on the element it stands in: "include/arg" is not "arg".
RULES = {
    "launch": Rule(frozenset({"version", "deprecated"}), children=ACTIONS),
    "append_env": Rule(CONDITIONS | {"name", "value", "prepend", "separator"}, ("name", "value")),
    "arg": Rule(CONDITIONS | {"name", "default", "description"}, ("name",), frozenset({"choice"})),
    "arg/choice": Rule(frozenset({"value"}), ("value",)),
    "executable": Rule(PROCESS | {"cmd"}, ("cmd",), frozenset({"env"})),
    "executable/env": NAME_VALUE,
    "group": Rule(CONDITIONS | {"scoped"}, children=ACTIONS),
    "include": Rule(CONDITIONS | {"file"}, ("file",), frozenset({"arg"})),
    "include/arg": NAME_VALUE,
    "let": SET,
    "log": Rule(CONDITIONS | {"message"}, ("message",)),
    "node": Rule(NODE, ("exec",), frozenset({"env", "param", "remap"})),
    "node/env": NAME_VALUE,
    "node/param": Rule(
        frozenset({"name", "value", "value-sep", "type", "from", "allow_substs"}),
        (),
        frozenset({"param"}),
    ),
    "node/remap": Rule(frozenset({"from", "to"}), ("from", "to")),
    "param/param": Rule(
        frozenset({"name", "value", "value-sep", "type"}), ("name",), frozenset({"param"})
    ),
    "push-ros-namespace": NAMESPACE,
    "push_ros_namespace": NAMESPACE,
    "set_env": SET,
    "unset_env": Rule(CONDITIONS | {"name"}, ("name",)),
}


@dataclass
class Element:
    """One XML element and where it stands."""

    tag: str
    attributes: dict[str, str]
    file: Path
    line: int
    children: list[Element] = field(default_factory=list)

    def get(self, name: str) -> str | None:
        """Return an attribute's text, or None."""
        return self.attributes.get(name)

    def all(self, tag: str) -> list[Element]:
        """Return the children of a tag."""
        return [child for child in self.children if child.tag == tag]

    def error(self, message: str) -> LaunchError:
        """Return an error that names this element's place."""
        return LaunchError(f"<{self.tag}>: {message}", self.file, self.line)


def load(file: Path) -> Element:
    """Read a launch file.

    Raises:
        LaunchError: the file is missing, is no XML, or has an unknown tag or attribute.
    """
    try:
        text = file.read_bytes()
    except OSError as error:
        raise LaunchError(f"cannot read the launch file: {error.strerror}", file) from error
    root = _parse(text, file)
    if root.tag != "launch":
        raise root.error("the root of a launch file is <launch>")
    _check(root, "launch")
    return root


def _parse(text: bytes, file: Path) -> Element:
    parser = expat.ParserCreate()
    holder = Element("", {}, file, 0)
    stack = [holder]

    def start(tag: str, attributes: dict[str, str]) -> None:
        element = Element(tag, attributes, file, parser.CurrentLineNumber)
        stack[-1].children.append(element)
        stack.append(element)

    def end(_tag: str) -> None:
        stack.pop()

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    try:
        parser.Parse(text, True)
    except expat.ExpatError as error:
        raise LaunchError(
            f"not well-formed XML: {expat.ErrorString(error.code)}", file, error.lineno
        ) from error
    return holder.children[0]


def _check(element: Element, rule_name: str) -> None:
    rule = RULES[rule_name]
    for name in element.attributes:
        if name not in rule.attributes:
            raise element.error(
                f"unknown attribute '{name}', expected one of: {', '.join(sorted(rule.attributes))}"
            )
    for name in rule.required:
        if name not in element.attributes:
            raise element.error(f"the attribute '{name}' is missing")
    if "if" in element.attributes and "unless" in element.attributes:
        raise element.error("'if' and 'unless' exclude each other")
    for child in element.children:
        if child.tag not in rule.children:
            known = ", ".join(sorted(rule.children)) or "no tags at all"
            raise LaunchError(
                f"unknown tag <{child.tag}> in <{element.tag}>, expected: {known}",
                child.file,
                child.line,
            )
        nested = f"{element.tag}/{child.tag}"
        _check(child, nested if nested in RULES else child.tag)
