"""Which errors a call can end with: those that the code it reaches raises, or says that it raises.

Read from the source, so that no feature has to list them. Calls are followed by the annotations of
parameters, attributes and results. What these do not show, such as a constraint of the database, is
named in the `Raises:` of a docstring.
"""

import ast
import builtins
import inspect
import re
import textwrap
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cache
from types import FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple, TypeAlias, cast, get_args, get_type_hints

from src.exceptions import AppError

Errors: TypeAlias = frozenset[type[AppError]]
_RAISES = re.compile(r"^Raises:\n(.*?)(?:\n\n|\Z)", re.MULTILINE | re.DOTALL)
_RAISED = re.compile(r"^    ((?:\w+, )*\w+): ", re.MULTILINE)
OURS = ("src.",)
_found: dict[tuple[FunctionType, type | None], Errors] = {}
_assigned: dict[type, dict[str, list[Any]]] = {}


class _Instance(NamedTuple):
    """Some value of a class."""

    type: type


class _Method(NamedTuple):
    """A function, and the class by which it was found."""

    function: FunctionType
    owner: type


def raised_by(call: Callable[..., Any]) -> Errors:
    """The errors of a function, a method, a class, or an object that can be called."""
    call = inspect.unwrap(call)
    if isinstance(call, MethodType):
        return _of_all([_Method(cast("FunctionType", call.__func__), type(call.__self__))])
    if isinstance(call, FunctionType):
        return _of_all([call])
    return _of_all(_attribute(call, "__init__" if inspect.isclass(call) else "__call__"))


def kinds(of: type[AppError] = AppError) -> set[type[AppError]]:
    """Every kind of error, once what raises it is imported."""
    subclasses = of.__subclasses__()
    return set(subclasses).union(*map(kinds, subclasses))


def _of_all(values: Iterable[Any]) -> Errors:
    """Those of the functions and methods among the values."""
    found: Errors = frozenset()
    for value in values:
        if isinstance(value, FunctionType):
            found |= _of(value)
        elif isinstance(value, _Method):
            found |= _of(*value)
    return found


def _of(function: FunctionType, owner: type | None = None) -> Errors:
    if not _is_ours(function):
        return frozenset()
    key = function, owner
    if key not in _found:
        _found[key] = frozenset()  # what calls itself adds nothing to itself
        _found[key] = frozenset(_Reader(function, owner).found)
    return _found[key]


class _Reader(ast.NodeVisitor):
    """Reads a function: `found` are its errors, `attributes` what it assigns to its instance."""

    def __init__(self, function: FunctionType, owner: type | None) -> None:
        self.found = _documented(function)
        self.attributes: dict[str, list[Any]] = {}
        self._globals = function.__globals__
        self._locals = {name: _instances(hint) for name, hint in _hints(function).items()}
        [tree] = ast.parse(textwrap.dedent(inspect.getsource(function))).body
        if owner:
            self._locals[function.__code__.co_varnames[0]] = [_Instance(owner)]
        self._visit_all(cast("ast.FunctionDef", tree).body)

    def visit_Try(self, node: ast.Try) -> None:
        """What is caught is not raised, unless it is raised again."""
        before, self.found = self.found, set()
        self._visit_all(node.body)
        for handler in node.handlers:
            caught = tuple(filter(inspect.isclass, self._values(handler.type)))
            if handler.name:
                self._locals[handler.name] = [_Instance(kind) for kind in caught]
            if not any(isinstance(part, ast.Raise) and not part.exc for part in ast.walk(handler)):
                self.found = {kind for kind in self.found if not issubclass(kind, caught)}
        self.found |= before
        self._visit_all([*node.handlers, *node.orelse, *node.finalbody])

    def visit_Raise(self, node: ast.Raise) -> None:
        """A class is raised, or a value of it."""
        for value in self._values(node.exc):
            kind = value.type if isinstance(value, _Instance) else value
            if inspect.isclass(kind) and issubclass(kind, AppError):
                self.found.add(kind)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        """An error that is made is raised, here or by whoever gets it."""
        for value in self._values(node.func):
            if inspect.isclass(value):
                if issubclass(value, AppError):
                    self.found.add(value)
                self.found |= _of_all(_attribute(value, "__init__"))
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        """Remember what names stand for."""
        self.generic_visit(node)
        for target in node.targets:
            self._bind(target, node.value)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        """The same."""
        self.generic_visit(node)
        self._bind(node.target, node.value)

    def visit_withitem(self, node: ast.withitem) -> None:
        """The same of a context, which may raise at its ends."""
        self.generic_visit(node)
        for value in self._values(node.context_expr):
            for end in ("__enter__", "__exit__", "__aenter__", "__aexit__"):
                self.found |= _of_all(_attribute(value, end))
        if node.optional_vars:
            self._bind(node.optional_vars, node.context_expr)

    def visit_Name(self, node: ast.Name) -> None:
        """A function that is named may be called."""
        self.found |= _of_all(self._values(node))

    def visit_Attribute(self, node: ast.Attribute) -> None:
        """So may a method or a property."""
        self.found |= _of_all(self._values(node))
        self.generic_visit(node)

    def _visit_all(self, nodes: Iterable[ast.AST]) -> None:
        for node in nodes:
            self.visit(node)

    def _bind(self, target: ast.expr, value: ast.expr | None) -> None:
        match target:
            case ast.Name(name):
                self._locals[name] = self._values(value)
            case ast.Attribute(ast.Name("self"), name):
                self.attributes[name] = self._values(value)

    def _values(self, node: ast.expr | None) -> list[Any]:
        """What an expression may stand for: objects, and instances of classes."""
        found: list[Any] = []
        match node:
            case ast.Name(name) if name in self._locals:
                found = self._locals[name]
            case ast.Name(name) if name in self._globals:
                found = [inspect.unwrap(self._globals[name])]
            case ast.Attribute(of, name):
                found = [value for one in self._values(of) for value in _attribute(one, name)]
            case ast.Call(function):
                found = [value for one in self._values(function) for value in _result(one)]
            case ast.Await(awaited):
                found = self._values(awaited)
            case ast.Tuple(parts) | ast.BoolOp(values=parts):
                found = [value for part in parts for value in self._values(part)]
            case ast.IfExp(_, one, other):
                found = self._values(one) + self._values(other)
        return found


def _attribute(value: Any, name: str) -> list[Any]:
    """What an attribute of a value may be."""
    if isinstance(value, ModuleType):
        return [inspect.unwrap(getattr(value, name))] if hasattr(value, name) else []
    owner: type = type(value)
    if inspect.isclass(value):
        owner = value
    elif isinstance(value, _Instance):
        owner = value.type
    match inspect.getattr_static(owner, name, None):
        case property(fget=FunctionType() as function):
            return [_Method(function, owner), *_result(function)]
        case staticmethod(__func__=function):
            return [inspect.unwrap(function)]
        case classmethod(__func__=function) | (FunctionType() as function):
            return [_Method(inspect.unwrap(function), owner)]
    if not owner.__module__.startswith(OURS):
        return []
    return _instances(_hints(owner).get(name)) or _attributes(owner).get(name, [])


def _attributes(owner: type) -> dict[str, list[Any]]:
    """What `__init__` assigns to an instance, its bases' too."""
    if owner not in _assigned:
        _assigned[owner] = {}  # what it asks of itself meanwhile
        for base in reversed(owner.__mro__):
            function = vars(base).get("__init__")
            if isinstance(function, FunctionType) and _is_ours(function):
                _assigned[owner] = _assigned[owner] | _Reader(function, owner).attributes
    return _assigned[owner]


def _result(called: Any) -> list[Any]:
    """What a call gives."""
    if inspect.isclass(called):
        return [_Instance(called)]
    function = called.function if isinstance(called, _Method) else called
    if isinstance(function, FunctionType) and _is_ours(function):
        return _instances(_hints(function).get("return"))
    return []


def _instances(hint: Any) -> list[Any]:
    """The values that an annotation allows; of what is in a container, too."""
    if inspect.isclass(hint) and not get_args(hint):
        return [_Instance(hint)]
    return [found for argument in get_args(hint) for found in _instances(argument)]


def _documented(function: FunctionType) -> set[type[AppError]]:
    """What its docstring says that it raises.

    Raises:
        LookupError: it names what neither its module nor anybody else has imported.
    """
    section = _RAISES.search(inspect.getdoc(function) or "")
    if section is None:
        return set()
    names = {name for names in _RAISED.findall(section[1]) for name in names.split(", ")}
    errors = {kind.__name__: kind for kind in kinds()}
    others = names - errors.keys() - {AppError.__name__} - function.__globals__.keys()
    if unknown := others.difference(dir(builtins)):
        message = f"{function.__module__}, {function.__qualname__}: nobody imports {unknown}"
        raise LookupError(message)
    return {errors[name] for name in names & errors.keys()}


def _is_ours(function: FunctionType) -> bool:
    """Whether it has a body in our source; what dataclasses make has none, and a lambda no name."""
    is_written = function.__code__.co_filename != "<string>" and function.__name__ != "<lambda>"
    return is_written and function.__module__.startswith(OURS)


@cache
def _hints(of: Any) -> dict[str, Any]:
    """The annotations, or none if some of them are for type checkers alone."""
    with suppress(NameError):
        return get_type_hints(of)
    return {}
