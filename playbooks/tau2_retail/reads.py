"""What the reading tools do."""

import ast
import operator
from collections.abc import Callable, Mapping
from decimal import Decimal, DivisionByZero, InvalidOperation
from typing import Any

from policies.words import Assurance, CustomerId, Json
from tools.errors import ToolRefused
from tools.spec import ToolContext, ToolResult, Verification

from .arguments import Email, Expression, Item, NameZip, NoArguments, Order, Product, Summary, User
from .records import Shop, shown


def shop(context: ToolContext) -> Shop:
    """The shop behind a call."""
    found: Shop = context.systems["shop"]
    return found


def find_user(records: Shop, arguments: Mapping[str, Any]) -> str:
    """The user with this e-mail, or with this name and zip code, whatever the case of letters; "" for nobody."""
    if "email" in arguments:
        email = str(arguments["email"]).casefold()
        found = records.find("users", lambda user: user["email"].casefold() == email)
    else:
        wanted = [str(arguments[part]).casefold() for part in ("first_name", "last_name", "zip")]
        found = records.find(
            "users",
            lambda user: (
                [user["name"]["first_name"].casefold(), user["name"]["last_name"].casefold(), user["address"]["zip"]]
                == wanted
            ),
        )
    return next((str(user["user_id"]) for user in found), "")


async def find_user_id(arguments: Email | NameZip, context: ToolContext) -> ToolResult:
    """Who this is. Every failure reads the same."""
    user_id = find_user(shop(context), arguments.model_dump())
    if not user_id:
        raise ToolRefused("not_found")
    return ToolResult({"user_id": user_id, "first_name": shop(context).user(user_id)["name"]["first_name"]})


def read_verification(value: dict[str, Json]) -> Verification | None:
    """The user who was found. The company takes that for verified."""
    return Verification(CustomerId(str(value["user_id"])), Assurance.VERIFIED)


async def get_user_details(arguments: User, context: ToolContext) -> ToolResult:
    """One user's profile."""
    return ToolResult(shown(shop(context).user(arguments.user_id)))


async def get_order_details(arguments: Order, context: ToolContext) -> ToolResult:
    """One order."""
    return ToolResult(shown(shop(context).order(arguments.order_id)))


async def get_product_details(arguments: Product, context: ToolContext) -> ToolResult:
    """One product with its variants."""
    return ToolResult(shown(shop(context).product(arguments.product_id)))


async def get_item_details(arguments: Item, context: ToolContext) -> ToolResult:
    """One variant."""
    variant = shop(context).variant(arguments.item_id)
    if variant is None:
        raise ToolRefused("not_found")
    return ToolResult(shown(variant))


async def list_all_product_types(_: NoArguments, context: ToolContext) -> ToolResult:
    """Names and ids of all products."""
    products = sorted((product["name"], product["product_id"]) for product in shop(context).find("products", bool))
    listed: list[Json] = [{"name": name, "product_id": product_id} for name, product_id in products]
    return ToolResult({"products": listed, "names": [name for name, _ in products]})


async def transfer_to_human_agents(arguments: Summary, _: ToolContext) -> ToolResult:
    """What a person is told who takes over; the records hold nothing of it."""
    return ToolResult({"summary": arguments.summary})


async def calculate(arguments: Expression, _: ToolContext) -> ToolResult:
    """Work out a sum, exactly, to cents."""
    try:
        result = _value(ast.parse(arguments.expression, mode="eval").body)
        return ToolResult({"result": str(result.quantize(Decimal("0.01")))})
    except (SyntaxError, ValueError, RecursionError, InvalidOperation, DivisionByZero) as error:
        raise ToolRefused("not_a_sum") from error


_OPERATORS: Mapping[type[ast.operator], Callable[[Decimal, Decimal], Decimal]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def _value(node: ast.expr) -> Decimal:
    match node:
        case ast.Constant(value=int() | float()):
            return Decimal(str(node.value))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand)
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _OPERATORS:
            return _OPERATORS[type(sign)](_value(left), _value(right))
        case _:
            raise ValueError("not a sum")
