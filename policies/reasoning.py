"""Reasoning about conditions before anything runs: what can never hold, always holds, or is covered by another.

The decidable part of the language: comparisons of one term with literals, joined by and, or, not. Everything else, such
as a comparison of two names, is a statement that may be true or false. Each term falls into finitely many parts that
its comparisons tell apart (docs/design/policy-language.md), so a condition is decided by trying one sample of each.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Final, TypeAlias

from policies.calendar_time import is_zone, zones
from policies.documents import closest
from policies.domains import FLAG_PREFIXES, FLAGS, Domain
from policies.syntax import AND, CHOICE, COMPARISONS, IN, NOT, OR, Call, Constant, Each, Items, Name, Node

MAX_CASES: Final = 4_096
MIRRORED: Final = {"_<_": "_>_", "_<=_": "_>=_", "_>_": "_<_", "_>=_": "_<=_", "_==_": "_==_", "_!=_": "_!=_"}
JOINTS: Final = frozenset({AND, OR, NOT, CHOICE})
SPANS: Final = {"days": 86_400, "hours": 3_600, "minutes": 60}

DomainOf: TypeAlias = Callable[[str], Domain]
Value: TypeAlias = bool | int | float | str
Case: TypeAlias = Mapping[Node, Any]
"""One sample for every term."""


class _Another(str):
    """A text that no literal names."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One comparison of a term with literals."""

    term: Node
    operator: str
    values: tuple[Value, ...]
    shown: str

    def holds(self, sample: Any) -> bool:
        """Whether it is true of this value of the term."""
        first = self.values[0] if self.values else None
        match self.operator:
            case "_==_":
                return bool(sample == first)
            case "_!=_":
                return bool(sample != first)
            case "@in":
                return sample in self.values
            case "_<_":
                return bool(sample < first)
            case "_<=_":
                return bool(sample <= first)
            case "_>_":
                return bool(sample > first)
            case _:
                return bool(sample >= first)


@dataclass(frozen=True, slots=True)
class Remark:
    """Something that is wrong with a condition whatever the facts are."""

    message: str
    suggestion: str = ""


def remarks_on(node: Node, domain_of: DomainOf) -> list[Remark]:
    """What is wrong with one condition: literals that no value can equal, parts and wholes that decide nothing."""
    found = [*_pointless(node), *_impossible_literals(node, domain_of), *_unknown_flags(node), *_unknown_zones(node)]
    if found:
        return found
    cases = _cases([node], domain_of)
    if cases is None:
        return []
    answers = [_truth(node, case) for case in cases]
    if not any(answers):
        return [Remark("This can never hold.", "a comparison that some value satisfies")]
    if all(answers):
        return [Remark("This always holds.", "nothing at all, or a comparison that some value doesn't satisfy")]
    return _redundant(node, cases, answers)


def never_holds(node: Node, domain_of: DomainOf) -> bool:
    """Whether no value lets this hold, as far as it can be decided."""
    cases = _cases([node], domain_of)
    return cases is not None and not any(_truth(node, case) for case in cases)


def covers(wider: Node | None, narrower: Node | None, domain_of: DomainOf) -> bool:
    """Whether the wider condition holds wherever the narrower does, as far as it can be decided.

    Args:
        wider: None always holds.
        narrower: None always holds.
        domain_of: What values each name can have.
    """
    if wider is None:
        return True
    if narrower is None:
        return False
    cases = _cases([wider, narrower], domain_of)
    return cases is not None and all(_truth(wider, case) for case in cases if _truth(narrower, case))


def _cases(nodes: Sequence[Node], domain_of: DomainOf) -> list[Case] | None:
    """One case for each distinguishable situation; None where there are too many to try."""
    literals: dict[Node, set[Value]] = {}
    statements: set[Node] = set()
    for node in nodes:
        for leaf in _leaves(node):
            comparison = _comparison(leaf)
            if comparison is not None:
                literals.setdefault(comparison.term, set()).update(comparison.values)
            elif not isinstance(leaf, Constant):
                statements.add(leaf)
    samples: dict[Node, Sequence[Any]] = {term: _samples(term, values, domain_of) for term, values in literals.items()}
    samples |= dict.fromkeys(statements - samples.keys(), (True, False))
    if math.prod(len(each) for each in samples.values()) > MAX_CASES:
        return None
    return [dict(zip(samples, chosen, strict=True)) for chosen in product(*samples.values())]


def _samples(term: Node, literals: Iterable[Value], domain_of: DomainOf) -> Sequence[Any]:
    """One value of each part of a term that its literals tell apart."""
    domain = domain_of(term.name) if isinstance(term, Name) else Domain()
    if isinstance(term, Call) and term.function == "size":
        domain = Domain(low=0)
    points = sorted({value for value in literals if isinstance(value, (int, float)) and not isinstance(value, bool)})
    if points:
        return _numbers(points, domain, whole=all(isinstance(point, int) for point in points))
    texts = [value for value in literals if isinstance(value, str)]
    if texts:
        return domain.values if domain.values is not None else (*sorted(texts), _Another("another value"))
    return (True, False)


def _numbers(points: Sequence[float], domain: Domain, *, whole: bool) -> list[float]:
    """The points, and one number between and beside them, as far as the domain reaches."""
    ends = [end for end in (domain.low, domain.high) if end is not None]
    marks = sorted({*points, *((int(end) for end in ends) if whole else ends)})
    found: list[float] = [marks[0] - 1]
    for mark, following in zip(marks, [*marks[1:], None], strict=True):
        found.append(mark)
        if following is None:
            found.append(mark + 1)
        elif not whole:
            found.append((mark + following) / 2)
        elif following - mark > 1:
            found.append(mark + 1)
    low, high = domain.low, domain.high
    return [each for each in found if (low is None or each >= low) and (high is None or each <= high)]


def _leaves(node: Node) -> Iterator[Node]:
    if (isinstance(node, Call) and node.function in (AND, OR, NOT)) or (
        isinstance(node, Call) and node.function == "_?_:_"
    ):
        for argument in node.arguments:
            yield from _leaves(argument)
    else:
        yield node


def _truth(node: Node, case: Case, instead: Mapping[int, bool] | None = None) -> bool:
    """Whether a condition holds in a case; `instead` gives answers for single leaves by identity."""
    if instead is not None and id(node) in instead:
        return instead[id(node)]
    if isinstance(node, Call) and node.function in JOINTS:
        first = _truth(node.arguments[0], case, instead)
        match node.function:
            case "_&&_":
                return first and _truth(node.arguments[1], case, instead)
            case "_||_":
                return first or _truth(node.arguments[1], case, instead)
            case "!_":
                return not first
            case _:
                return _truth(node.arguments[1 if first else 2], case, instead)
    if isinstance(node, Constant):
        return bool(node.value)
    comparison = _comparison(node)
    return comparison.holds(case[comparison.term]) if comparison is not None else bool(case[node])


def _redundant(node: Node, cases: Sequence[Case], answers: Sequence[bool]) -> list[Remark]:
    """The comparisons that change nothing, because the rest of the condition covers them."""
    for leaf in _leaves(node):
        comparison = _comparison(leaf)
        if comparison is None:
            continue
        for assumed in (True, False):
            if all(
                _truth(node, case, {id(leaf): assumed}) == answer for case, answer in zip(cases, answers, strict=True)
            ):
                return [
                    Remark(
                        f"{comparison.shown} decides nothing: the rest of the condition covers it.",
                        f"the condition without {comparison.shown}",
                    )
                ]
    return []


def _comparison(node: Node) -> Comparison | None:
    """The node as a comparison of one term with literals; None if it is something else."""
    if not isinstance(node, Call) or len(node.arguments) != 2:
        return None
    left, right = node.arguments
    if node.function == IN and isinstance(right, Items) and _literal(left) is None:
        values = [_literal(item) for item in right.items]
        if all(value is not None for value in values):
            listed = tuple(value for value in values if value is not None)
            shown = f"{show(left)} in [{', '.join(_shown(value) for value in listed)}]"
            return Comparison(left, IN, listed, shown)
    if node.function not in COMPARISONS:
        return None
    one, other = _literal(left), _literal(right)
    operator, term, value = (node.function, left, other) if other is not None else (MIRRORED[node.function], right, one)
    if value is None or (one is not None and other is not None):
        return None
    if isinstance(value, str) and operator not in ("_==_", "_!=_"):
        return None
    return Comparison(term, operator, (value,), f"{show(left)} {node.function.strip('_')} {show(right)}")


def _literal(node: Node) -> Value | None:
    """The value of a literal; lengths of time as seconds."""
    if isinstance(node, Constant):
        return node.value
    if isinstance(node, Call) and node.function in SPANS and isinstance(node.arguments[0], Constant):
        number = node.arguments[0].value
        return number * SPANS[node.function] if isinstance(number, int) else None
    return None


def _pointless(node: Node) -> Iterator[Remark]:
    """Comparisons that need no facts."""
    for leaf in _leaves(node):
        if isinstance(leaf, Call) and leaf.function in COMPARISONS:
            left, right = leaf.arguments
            if left == right:
                yield Remark(f"{show(leaf)} compares a thing with itself.", "two different things")
            elif _literal(left) is not None and _literal(right) is not None:
                yield Remark(f"{show(leaf)} compares two literals.", "a name on one side")


def _impossible_literals(node: Node, domain_of: DomainOf) -> Iterator[Remark]:
    """Texts that a name can never equal: misspelt ones, mostly."""
    for leaf in _leaves(node):
        comparison = _comparison(leaf)
        if comparison is None or not isinstance(comparison.term, Name):
            continue
        values = domain_of(comparison.term.name).values
        for value in comparison.values if values is not None else ():
            if isinstance(value, str) and values is not None and value not in values:
                hint = closest(value, values) or f"one of {', '.join(values)}"
                yield Remark(f"{comparison.term.name} is never '{value}'.", hint)


def _unknown_flags(node: Node) -> Iterator[Remark]:
    """Flags that nobody ever raises."""
    for flag in _flags_asked(node):
        if flag not in FLAGS and not flag.startswith(FLAG_PREFIXES):
            yield Remark(f"There is no flag '{flag}'.", closest(flag, FLAGS) or f"one of {', '.join(sorted(FLAGS))}")


def _unknown_zones(node: Node) -> Iterator[Remark]:
    """Time zones that don't exist; known ones are read now, so that deciding reads nothing."""
    match node:
        case Call("months_after" | "days_between", (_, _, Constant(str() as place))) if not is_zone(place):
            yield Remark(f"There is no time zone '{place}'.", closest(place, zones()) or "Europe/Berlin")
        case Call(function, (_, Constant(str() as place))) if function.startswith("get") and not is_zone(place):
            yield Remark(f"There is no time zone '{place}'.", closest(place, zones()) or "Europe/Berlin")
    if isinstance(node, Call):
        for argument in node.arguments:
            yield from _unknown_zones(argument)


def _flags_asked(node: Node, variable: str = "") -> Iterator[str]:
    match node:
        case Call("@in", (Constant(str() as flag), Name("flags"))):
            yield flag
        case Call("@in", (Name(name), Items(items))) if name == variable:
            yield from (item.value for item in items if isinstance(item, Constant) and isinstance(item.value, str))
        case Call("_==_" | "_!=_", (Name(name), Constant(str() as flag)) | (Constant(str() as flag), Name(name))) if (
            name == variable
        ):
            yield flag
        case Call(_, arguments):
            for argument in arguments:
                yield from _flags_asked(argument, variable)
        case Each(name, Name("flags"), body):
            yield from _flags_asked(body, name)


def show(node: Node) -> str:
    """A part of a condition, about as it was written."""
    match node:
        case Constant(value):
            return _shown(value)
        case Name(name):
            return name
        case Items(items):
            return f"[{', '.join(show(item) for item in items)}]"
        case Call("!_" | "-_" as operator, (only,)):
            return f"{operator.strip('_')}{show(only)}"
        case Call("@in", (left, right)):
            return f"{show(left)} in {show(right)}"
        case Call(operator, (left, right)) if operator.startswith("_") and operator.endswith("_"):
            return f"{show(left)} {operator.strip('_')} {show(right)}"
        case Call(function, (target, *rest)) if node.is_method:
            return f"{show(target)}.{function}({', '.join(show(each) for each in rest)})"
        case Call(function, arguments) if function.isidentifier():
            return f"{function}({', '.join(show(each) for each in arguments)})"
    return "…"


def _shown(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"'{value}'" if isinstance(value, str) else str(value)
