"""The two columns by which a row belongs to a referral. Two agencies may use the same id: a condition on the id alone
would mix their referrals; every condition on a referral is made here."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from schemas.events import ReferralKey

Columns = ReadOnlyColumnCollection[str, Any]
"""The columns of a table or alias that has `referral_sender` and `referral_id`."""


def is_about(columns: Columns, key: ReferralKey) -> sa.ColumnElement[bool]:
    """Whether a row belongs to this referral."""
    return sa.and_(columns.referral_sender == key.sender, columns.referral_id == key.referral_id)


def is_about_given(columns: Columns) -> sa.ColumnElement[bool]:
    """As `is_about`, for a statement that is built once: `given(key)` are its parameters."""
    of_sender, of_referral = sa.bindparam("of_sender", type_=sa.String()), sa.bindparam("of_referral", type_=sa.Uuid())
    return sa.and_(columns.referral_sender == of_sender, columns.referral_id == of_referral)


def given(key: ReferralKey) -> dict[str, Any]:
    """The parameters of `is_about_given` for this referral."""
    return {"of_sender": key.sender, "of_referral": key.referral_id}


def same_referral(columns: Columns, others: Columns) -> sa.ColumnElement[bool]:
    """Whether the rows of two tables belong to the same referral."""
    return sa.and_(columns.referral_sender == others.referral_sender, columns.referral_id == others.referral_id)


def key_of(row: Mapping[Any, Any]) -> ReferralKey:
    """The referral that a row belongs to."""
    return ReferralKey(row["referral_sender"], row["referral_id"])
