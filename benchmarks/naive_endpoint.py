"""What one would write first: FastAPI and SQLModel, a session a request, models in and out.

python naive_endpoint.py STORE PORT serves authorize and the list from a table of its own in STORE.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, ClassVar

import uvicorn
from fastapi import Depends, FastAPI, Header, HTTPException, Response
from pydantic import BaseModel
from sqlmodel import Field, Session, SQLModel, create_engine, func, select


class NaiveToken(SQLModel, table=True):
    __tablename__: ClassVar[str] = "naive_token"
    id: int | None = Field(default=None, primary_key=True)
    country_code: str
    party_id: str
    uid: str = Field(index=True)
    type: str
    contract_id: str
    visual_number: str
    issuer: str
    valid: bool
    whitelist: str
    last_updated: str


class NaivePartner(SQLModel, table=True):
    __tablename__: ClassVar[str] = "naive_partner"
    token: str = Field(primary_key=True)
    name: str


class Authorized(BaseModel):
    allowed: str
    token: NaiveToken


class OneAnswer(BaseModel):
    data: Authorized
    status_code: int = 1000
    timestamp: str = Field(default_factory=lambda: datetime.now(UTC).isoformat())


class ListAnswer(BaseModel):
    data: list[NaiveToken]
    status_code: int = 1000
    timestamp: str = Field(default_factory=lambda: datetime.now(UTC).isoformat())


engine = create_engine(f"sqlite:///{sys.argv[1]}", connect_args={"check_same_thread": False})
app = FastAPI()


def session() -> Iterator[Session]:
    with Session(engine) as opened:
        yield opened


Db = Annotated[Session, Depends(session)]


def partner(db: Db, authorization: Annotated[str, Header()]) -> NaivePartner:
    found = db.get(NaivePartner, authorization.removeprefix("Token "))
    if found is None:
        raise HTTPException(401)
    return found


Who = Annotated[NaivePartner, Depends(partner)]


@app.post("/tokens/{uid}/authorize")
def authorize(uid: str, db: Db, _: Who) -> OneAnswer:
    found = db.exec(select(NaiveToken).where(NaiveToken.uid == uid.upper())).first()
    if found is None:
        raise HTTPException(404)
    return OneAnswer(data=Authorized(allowed="ALLOWED" if found.valid else "BLOCKED", token=found))


@app.get("/tokens")
def listed(db: Db, _: Who, response: Response, offset: int = 0, limit: int = 1000) -> ListAnswer:
    response.headers["X-Total-Count"] = str(db.exec(select(func.count()).select_from(NaiveToken)).one())
    page = db.exec(select(NaiveToken).order_by(NaiveToken.id).offset(offset).limit(limit)).all()
    return ListAnswer(data=list(page))


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="error", access_log=False)
