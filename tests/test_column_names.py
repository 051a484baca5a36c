"""The columns of a log are found by their names, in six languages."""

from __future__ import annotations

import pytest

from crmkit._intake.column_names import find_columns, is_contact
from crmkit.errors import MissingColumnsError


def chosen(names: list[str], **given: str | None) -> dict[str, str]:
    return {role: choice.column for role, choice in find_columns(names, given=given).items()}


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (
            ["InvoiceNo", "StockCode", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID"],
            {
                "customer": "CustomerID",
                "date": "InvoiceDate",
                "quantity": "Quantity",
                "price": "UnitPrice",
                "order_id": "InvoiceNo",
                "product": "StockCode",
            },
        ),
        (
            ["customer_id", "order_date", "revenue", "first_name"],
            {"customer": "customer_id", "date": "order_date", "amount": "revenue"},
        ),
        (
            ["Client", "Day", "Total (EUR)", "total"],
            {"customer": "Client", "date": "Day", "amount": "total"},
        ),
        (["user id", "timestamp"], {"customer": "user id", "date": "timestamp"}),
        (
            ["Kundennr.", "Bestelldatum", "Betrag in €", "Menge"],
            {
                "customer": "Kundennr.",
                "date": "Bestelldatum",
                "amount": "Betrag in €",
                "quantity": "Menge",
            },
        ),
        (
            ["N° client", "Date de commande", "Montant TTC", "Facture"],
            {
                "customer": "N° client",
                "date": "Date de commande",
                "amount": "Montant TTC",
                "order_id": "Facture",
            },
        ),
        (
            ["Código cliente", "Fecha", "Importe", "Pedido"],
            {
                "customer": "Código cliente",
                "date": "Fecha",
                "amount": "Importe",
                "order_id": "Pedido",
            },
        ),
        (
            ["客户编号", "下单日期", "金额", "订单号"],
            {"customer": "客户编号", "date": "下单日期", "amount": "金额", "order_id": "订单号"},
        ),
        (
            ["會員編號", "訂單日期", "消費金額"],
            {"customer": "會員編號", "date": "訂單日期", "amount": "消費金額"},
        ),
        (
            ["顧客ID", "注文日", "購入金額"],
            {"customer": "顧客ID", "date": "注文日", "amount": "購入金額"},
        ),
        (
            ["order_id", "customer_id", "order_purchase_timestamp", "order_approved_at", "price"],
            {
                "customer": "customer_id",
                "date": "order_purchase_timestamp",
                "amount": "price",
                "order_id": "order_id",
            },
        ),
        (
            ["customer", "last_purchase", "orders", "total_spent"],
            {
                "customer": "customer",
                "date": "last_purchase",
                "amount": "total_spent",
                "orders": "orders",
            },
        ),
    ],
)
def test_names_of_many_languages_are_found(names: list[str], expected: dict[str, str]) -> None:
    assert chosen(names) == expected


@pytest.mark.parametrize("wrong", ["Birth date", "Customer name", "Order status", "Ship Date"])
def test_names_that_mean_something_else_are_not_taken(wrong: str) -> None:
    names = [wrong, "Customer ID", "Date", "Amount"]
    assert wrong not in chosen(names).values()


def test_a_second_name_that_fits_is_told() -> None:
    choice = find_columns(["email", "customer_id", "date"], given={})["customer"]
    assert (choice.column, choice.next_best) == ("customer_id", "email")
    assert choice.score > choice.next_score > 0


def test_what_the_user_says_comes_first() -> None:
    names = ["customer_id", "household", "date", "amount", "margin"]
    found = chosen(names, customer="household", amount="margin", date=None)
    assert found == {"customer": "household", "date": "date", "amount": "margin"}


def test_a_price_that_the_user_names_is_multiplied() -> None:
    names = ["customer", "date", "amount", "quantity", "unit"]
    assert "amount" not in chosen(names, price="unit")


def test_a_misspelt_column_gets_the_closest_name() -> None:
    with pytest.raises(MissingColumnsError) as caught:
        find_columns(["customer_id", "date"], given={"customer": "custmer_id"})
    assert str(caught.value) == (
        "No column 'custmer_id' for the customer among 'customer_id', 'date'. "
        "Did you mean 'customer_id'?"
    )


def test_of_400_columns_a_few_are_shown() -> None:
    with pytest.raises(MissingColumnsError) as caught:
        find_columns([f"v{i}" for i in range(400)], given={})
    message = str(caught.value)
    assert message.startswith("No column looks like the customer among 'v0', 'v1', ")
    assert message.endswith(
        "'v11' and 388 more; name it with customer= (in the command --customer)."
    )


def test_contacts_are_known_by_name() -> None:
    assert all(map(is_contact, ["E-Mail", "Phone number", "Vorname", "电话", "メール"]))
    assert not any(map(is_contact, ["region", "Product name", "channel"]))
