"""A platform database with two tenants, every table filled, and every road by which one might reach the other's rows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import (
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    literal,
    literal_column,
    or_,
    select,
    text,
    true,
    tuple_,
    union,
    union_all,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import aliased, joinedload, selectinload

from hub_config.database import (
    AuditEvent,
    Conversation,
    ConversationTurn,
    Dashboard,
    DashboardRight,
    DashboardSnapshot,
    DashboardVersion,
    Database,
    DataSource,
    Erasure,
    Feedback,
    Invitation,
    Job,
    PasswordReset,
    PublicationRequest,
    Query,
    Quota,
    RefreshToken,
    ScopedSession,
    SemanticLayer,
    SourceFile,
    Tenant,
    TenantKey,
    UsageCounter,
    User,
    VerifiedQuestion,
    Widget,
    Workspace,
    WorkspaceMember,
    email_key,
    migrate,
)
from hub_config.database.base import Base, new_id
from tests.servers import Server

LATER = datetime(2030, 1, 1, tzinfo=UTC)
SHARED_EMAIL = "Camille.Durand@exemple.fr"


def sqlite_url(folder: Path) -> str:
    return f"sqlite:///{folder / 'platform.db'}"


def owned_database(server: Server) -> str:
    """An empty PostgreSQL database of an owner who, as in a real installation, is no superuser."""
    import psycopg

    url = server.new_database("platform")
    owner = f"owner_{urlsplit(url).path.strip('/')}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {owner} LOGIN CREATEROLE PASSWORD 'secret'")
        connection.execute(f'ALTER DATABASE "{urlsplit(url).path.strip("/")}" OWNER TO {owner}')
    return url.replace("postgres:secret@", f"{owner}:secret@")


def application_url(admin_url: str) -> str:
    """A role of its own for every database, with a password that needs quoting."""
    parts = urlsplit(admin_url)
    name = "app_" + parts.path.strip("/")
    return f"postgresql://{name}:it%27s%25s%40cret@{parts.hostname}:{parts.port}{parts.path}"


class UnfilteredSession(ScopedSession):
    """The session without the code's filter: what row-level security alone holds back."""

    def criteria(self) -> list[Any]:
        return []

    def refuse_foreign(self, instance: Any) -> None:
        pass


class RowSecurityOnly(Database):
    """The database without the code's wall."""

    def _raise_wall(self, engine: Any) -> None:
        pass

    def _new_session(self, connection: Any, scope: Any) -> ScopedSession:
        return UnfilteredSession(bind=connection, scope=scope)


def new_database(admin_url: str, **options: Any) -> Database:
    """Migrate; on PostgreSQL make the application's role and sign in as it."""
    if admin_url.startswith("sqlite"):
        migrate(admin_url)
        return Database(admin_url, **options)
    url = application_url(admin_url)
    migrate(admin_url, application_url=url)
    return Database(url, admin_url=admin_url, **options)


def populate(database: Database, name: str) -> str:
    """Make a tenant with a row in every table; return its id."""
    tenant_id = new_id()
    with database.tenant(tenant_id) as session:
        session.add(Tenant(id=tenant_id, name=name, slug=f"{name}-{tenant_id[:6]}"))
        session.flush()
        user = User(
            full_name=f"Camille chez {name}",
            email=SHARED_EMAIL,
            email_key=email_key(SHARED_EMAIL),
            role="administrator",
            hashed_password="argon",
        )
        workspace = Workspace(name="Ventes")
        session.add_all([user, workspace])
        session.flush()
        source = DataSource(name="Entrepôt", type="postgres", connection_config_encrypted="gAAA", workspace_id=workspace.id)
        dashboard = Dashboard(name=f"Tableau {name}", workspace_id=workspace.id)
        session.add_all([source, dashboard, WorkspaceMember(workspace_id=workspace.id, user_id=user.id)])
        session.flush()
        conversation = Conversation(user_id=user.id, data_source_id=source.id)
        query = Query(user_id=user.id, data_source_id=source.id, kind="ask", question=f"secret de {name}")
        session.add_all([conversation, query])
        session.flush()
        session.add_all(
            [
                RefreshToken(user_id=user.id, family_id=new_id(), token_hash=new_id(), expires_at=LATER),
                Invitation(
                    email="a@b.fr", role="viewer", token_hash=new_id(), expires_at=LATER, workspace_ids=[workspace.id]
                ),
                PasswordReset(user_id=user.id, token_hash=new_id(), expires_at=LATER),
                TenantKey(wrapped_key="gBBB"),
                SourceFile(data_source_id=source.id, name="ventes.csv", size_bytes=12, sha256="00", status="kept"),
                SemanticLayer(data_source_id=source.id, number=1, definitions_json={"version": 1}),
                VerifiedQuestion(data_source_id=source.id, question="CA ?", question_key="ca", plan_json={}),
                Job(kind="refresh", data_source_id=source.id),
                Widget(dashboard_id=dashboard.id, query_json={}, chart_type="bar"),
                DashboardVersion(dashboard_id=dashboard.id, number=1, content_json={}),
                DashboardRight(dashboard_id=dashboard.id, role="viewer"),
                DashboardSnapshot(dashboard_id=dashboard.id, version=1, attributes_key="a", rights_key="r"),
                PublicationRequest(dashboard_id=dashboard.id, content_json={}),
                ConversationTurn(conversation_id=conversation.id, position=1, question="CA ?"),
                AuditEvent(action="user.registered", at=datetime(2025, 1, 1, tzinfo=UTC)),
                AuditEvent(action="query.asked", tables=["ventes"]),
                Feedback(query_id=query.id, user_id=user.id, verdict="right"),
                Quota(key="parallel_queries", value=3),
                UsageCounter(day=date(2026, 6, 17), key="queries", value=7),
            ]
        )
    with database.tenant(tenant_id) as session:
        from hub_config.database import erase_audit

        erase_audit(session, datetime.now(UTC) - timedelta(days=200), requested_by="test")
        session.add(AuditEvent(action="after"))
    return tenant_id


# ── every road: each takes a session of one tenant and the id of another, and returns rows or counts of rows it reached ──

Road = Callable[[ScopedSession, str], Any]


def _table(model: Any) -> Any:
    return model.__table__


def _first(database: Database, tenant_id: str, model: Any) -> Any:
    with database.tenant(tenant_id, read_only=True) as session:
        return session.scalars(select(model)).first()


def _lateral(session: ScopedSession, other: str) -> Any:
    inner = select(_table(Widget).c.title).where(_table(Widget).c.dashboard_id == Dashboard.id).lateral()
    return session.execute(select(Dashboard.id, inner.c.title).join(inner, true())).all()


def _recursive(session: ScopedSession, other: str) -> Any:
    start = select(_table(User).c.id).cte("found", recursive=True)
    return session.execute(select(start.union_all(select(_table(User).c.id)).c.id)).all()


# Written by hand and not bound to the tenant: the wall refuses them.
REFUSED: dict[str, Road] = {
    "core_select": lambda s, o: s.execute(select(_table(User))).all(),
    "core_select_bound_to_another": lambda s, o: s.execute(select(_table(User)).where(_table(User).c.tenant_id == o)).all(),
    "core_or": lambda s, o: s.execute(
        select(_table(User)).where(or_(_table(User).c.tenant_id == s.tenant_id, true()))
    ).all(),
    "core_not": lambda s, o: s.execute(select(_table(User)).where(~(_table(User).c.tenant_id == s.tenant_id))).all(),
    "core_in": lambda s, o: s.execute(select(_table(User)).where(_table(User).c.tenant_id.in_([s.tenant_id, o]))).all(),
    "core_alias_beside": lambda s, o: s.execute(
        select(_table(User).alias("mine").c.id, _table(User).alias("theirs").c.email).where(text("mine.tenant_id = :t")),
        {"t": s.tenant_id},
    ).all(),
    "core_join": lambda s, o: s.execute(
        select(_table(Widget)).join(_table(Dashboard), true()).where(_table(Dashboard).c.tenant_id == s.tenant_id)
    ).all(),
    "core_left_join_bound_on_the_wrong_side": lambda s, o: s.execute(
        select(_table(Widget)).outerjoin(_table(Dashboard), _table(Widget).c.tenant_id == s.tenant_id)
    ).all(),
    "core_full_join": lambda s, o: s.execute(
        select(_table(Widget))
        .outerjoin(_table(Dashboard), _table(Dashboard).c.tenant_id == s.tenant_id, full=True)
        .where(_table(Widget).c.tenant_id == s.tenant_id)
    ).all(),
    "core_subquery": lambda s, o: s.execute(select(select(_table(User).c.email).subquery().c.email)).all(),
    "core_scalar_subquery": lambda s, o: s.execute(
        select(User.id, select(func.min(_table(Query).c.question)).scalar_subquery())
    ).all(),
    "core_exists": lambda s, o: s.execute(select(User.id).where(exists(select(_table(Query).c.id)))).all(),
    "core_cte": lambda s, o: s.execute(select(select(_table(User).c.email).cte("x").c.email)).all(),
    "core_cte_named_like_a_table": lambda s, o: s.execute(
        text("WITH users AS (SELECT * FROM queries) SELECT * FROM users WHERE users.tenant_id = :t"), {"t": s.tenant_id}
    ).all(),
    "core_recursive_cte": _recursive,
    "core_union": lambda s, o: s.execute(
        union(select(_table(User).c.id).where(_table(User).c.tenant_id == s.tenant_id), select(_table(Query).c.question))
    ).all(),
    "core_lateral": _lateral,
    "core_in_an_orm_select": lambda s, o: s.execute(select(User, _table(Query).c.question)).all(),
    "core_in_order_by": lambda s, o: s.execute(
        select(User.id).order_by(select(_table(Query).c.question).limit(1).scalar_subquery())
    ).all(),
    "text_select": lambda s, o: s.execute(text("SELECT * FROM users")).all(),
    "text_other_tenant": lambda s, o: s.execute(text("SELECT * FROM users WHERE tenant_id = :t"), {"t": o}).all(),
    "text_literal_tenant": lambda s, o: s.execute(text(f"SELECT * FROM users WHERE tenant_id = '{o}'")).all(),
    "text_comment": lambda s, o: s.execute(text("SELECT * FROM users -- WHERE tenant_id = %(t)s")).all(),
    "orm_window": lambda s, o: s.scalars(select(func.min(User.tenant_id).over(order_by=User.id))).all(),
    "orm_update_from": lambda s, o: (
        s.execute(update(Widget).where(Widget.dashboard_id == Dashboard.id).values(title=Dashboard.name)).rowcount
    ),
    "orm_insert_from_select": lambda s, o: s.execute(
        insert(Quota).from_select(["tenant_id", "key", "value"], select(Quota.tenant_id, Quota.key + "2", Quota.value))
    ),
    "text_two_statements": lambda s, o: s.execute(text("SELECT 1; SELECT * FROM users")).all(),
    "text_qualified": lambda s, o: s.execute(text("SELECT * FROM public.users")).all(),
    "text_quoted": lambda s, o: s.execute(text('SELECT * FROM "users"')).all(),
    "text_upper_case": lambda s, o: s.execute(text("SELECT * FROM USERS")).all(),
    "text_catalog": lambda s, o: s.execute(text("SELECT * FROM sqlite_master")).all(),
    "text_system_catalog": lambda s, o: s.execute(text("SELECT * FROM pg_stats")).all(),
    "text_alembic": lambda s, o: s.execute(text("SELECT * FROM alembic_version")).all(),
    "text_table_command": lambda s, o: s.execute(text("TABLE users")).all(),
    "text_values_from": lambda s, o: s.execute(text("SELECT (SELECT email FROM users LIMIT 1)")).all(),
    "text_unreadable": lambda s, o: s.execute(text("SELECT FROM WHERE users")).all(),
    "text_set_scope": lambda s, o: s.execute(select(func.set_config("datapilot.tenant_id", o, True))).all(),
    "text_set_scope_qualified": lambda s, o: s.execute(
        text("SELECT pg_catalog.set_config('datapilot.tenant_id', :o, true)"), {"o": o}
    ).all(),
    "text_set": lambda s, o: s.execute(text("SET datapilot.tenant_id = 'x'")),
    "text_pragma": lambda s, o: s.execute(text("PRAGMA foreign_keys = OFF")),
    "text_attach": lambda s, o: s.execute(text("ATTACH DATABASE ':memory:' AS m")),
    "text_ddl": lambda s, o: s.execute(text("DROP TABLE users")),
    "text_create_as": lambda s, o: s.execute(text("CREATE TABLE copied AS SELECT * FROM users")),
    "text_trigger": lambda s, o: s.execute(text("DROP TRIGGER audit_events_no_delete")),
    "text_truncate": lambda s, o: s.execute(text("TRUNCATE users")),
    "text_copy": lambda s, o: s.execute(text("COPY users TO STDOUT")),
    "text_commit": lambda s, o: s.execute(text("COMMIT")),
    "text_update": lambda s, o: s.execute(text("UPDATE users SET full_name = 'x'")).rowcount,
    "text_update_or": lambda s, o: (
        s.execute(text("UPDATE users SET full_name = 'x' WHERE users.tenant_id = :t OR 1 = 1"), {"t": s.tenant_id}).rowcount
    ),
    "text_update_from": lambda s, o: (
        s.execute(
            text("UPDATE users SET full_name = q.question FROM queries AS q WHERE users.tenant_id = :t"), {"t": s.tenant_id}
        ).rowcount
    ),
    "text_delete_returning": lambda s, o: s.execute(text("DELETE FROM users RETURNING email")).all(),
    "text_delete_in_cte": lambda s, o: s.execute(
        text("WITH d AS (DELETE FROM users RETURNING email) SELECT * FROM d")
    ).all(),
    "core_update": lambda s, o: s.execute(update(_table(User)).values(full_name="x")).rowcount,
    "core_delete": lambda s, o: s.execute(delete(_table(User))).rowcount,
    "core_move_to_another": lambda s, o: (
        s.execute(update(_table(Quota)).where(_table(Quota).c.tenant_id == s.tenant_id).values(tenant_id=o)).rowcount
    ),
    "orm_move_to_another": lambda s, o: s.execute(update(Quota).values(tenant_id=o)).rowcount,
    "core_insert_for_another": lambda s, o: s.execute(insert(_table(Quota)).values(tenant_id=o, key="k", value=1)),
    "orm_insert_for_another": lambda s, o: s.execute(insert(Quota).values(tenant_id=o, key="k", value=1)),
    "orm_bulk_insert_for_another": lambda s, o: s.execute(
        insert(Quota), [{"tenant_id": s.tenant_id, "key": "a", "value": 1}, {"tenant_id": o, "key": "k", "value": 1}]
    ),
    "orm_bulk_insert_returning_for_another": lambda s, o: s.scalars(
        insert(Quota).returning(Quota),
        [{"tenant_id": s.tenant_id, "key": "a", "value": 1}, {"tenant_id": o, "key": "k", "value": 1}],
    ).all(),
    "bulk_mappings_for_another": lambda s, o: s.bulk_insert_mappings(Quota, [{"tenant_id": o, "key": "k", "value": 1}]),
    "bulk_objects_for_another": lambda s, o: s.bulk_save_objects([Quota(tenant_id=o, key="k", value=1)]),
    "bulk_update_mappings_of_another": lambda s, o: s.bulk_update_mappings(
        Quota, [{"tenant_id": o, "key": "parallel_queries", "value": 9}]
    ),
    "orm_bulk_update_of_another": lambda s, o: s.execute(
        update(Quota), [{"tenant_id": o, "key": "parallel_queries", "value": 9}]
    ),
    "insert_values_literal": lambda s, o: s.execute(
        insert(_table(Quota)).values(tenant_id=literal_column(f"'{o}'"), key="k", value=1)
    ),
    "insert_text": lambda s, o: s.execute(text("INSERT INTO quotas VALUES (:o, 'k', 1)"), {"o": o}),
    "insert_text_without_tenant": lambda s, o: s.execute(text("INSERT INTO quotas (key, value) VALUES ('k', 1)")),
    "insert_or_replace": lambda s, o: s.execute(
        text("INSERT OR REPLACE INTO quotas (tenant_id, key, value) VALUES (:t, 'k', 1)"), {"t": s.tenant_id}
    ),
    "insert_from_select_of_all": lambda s, o: s.execute(
        insert(_table(Quota)).from_select(
            ["tenant_id", "key", "value"],
            select(bindparam("t", s.tenant_id), _table(Query).c.question, literal_column("1")),
        )
    ),
    "insert_from_select_for_another": lambda s, o: s.execute(
        insert(_table(Quota)).from_select(
            ["tenant_id", "key", "value"], select(bindparam("t", o), Quota.key + "x", Quota.value)
        )
    ),
    "insert_from_union": lambda s, o: s.execute(
        insert(_table(Quota)).from_select(
            ["tenant_id", "key", "value"],
            union_all(
                select(bindparam("t", s.tenant_id), bindparam("k", "k"), literal_column("1")),
                select(_table(Quota).c.tenant_id, _table(Quota).c.key, _table(Quota).c.value),
            ),
        )
    ),
    "upsert_over_a_foreign_key": lambda s, o: s.execute(
        text(
            "INSERT INTO tenants (tenant_id, id, name, slug, settings, created_at) "
            "VALUES (:t, :t, 'x', 'x', '{}', '2026-01-01') ON CONFLICT (slug) DO UPDATE SET name = 'taken'"
        ),
        {"t": s.tenant_id},
    ),
    "add_for_another": lambda s, o: (s.add(Quota(tenant_id=o, key="k", value=1)), s.flush()),
    "add_then_move": lambda s, o: (s.add(q := Quota(key="k", value=1)), setattr(q, "tenant_id", o), s.flush()),
    "loaded_then_moved": lambda s, o: (setattr(s.scalars(select(Quota)).first(), "tenant_id", o), s.flush()),
    "merge_of_another": lambda s, o: s.merge(Quota(tenant_id=o, key="parallel_queries", value=99)),
    "connection": lambda s, o: s.connection().execute(text("SELECT * FROM users")).all(),
    "bind": lambda s, o: s.get_bind().execute(select(_table(User))).all(),
    "bind_driver_sql": lambda s, o: s.get_bind().exec_driver_sql("SELECT * FROM users").fetchall(),
    "bind_engine": lambda s, o: _of_engine(s),
    "commit": lambda s, o: s.commit(),
    "rollback": lambda s, o: s.rollback(),
    "execution_options": lambda s, o: s.execute(
        select(_table(User)), execution_options={"datapilot_scope": None, "datapilot_set_up": True}
    ).all(),
}


def _of_engine(session: ScopedSession) -> Any:
    with session.get_bind().engine.connect() as connection:  # type: ignore[union-attr]
        return connection.execute(select(_table(User))).all()


# Through the ORM or bound by hand: they pass, and reach the session's own rows alone. Each gives (tenant ids reached).
PASSES: dict[str, Callable[[ScopedSession, str], Any]] = {
    "entity": lambda s, o: [u.tenant_id for u in s.scalars(select(User))],
    "columns": lambda s, o: s.scalars(select(User.tenant_id)).all(),
    "other_asked_for": lambda s, o: s.scalars(select(User.tenant_id).where(User.tenant_id == o)).all(),
    "or_true": lambda s, o: s.scalars(select(User.tenant_id).where(or_(User.tenant_id == o, true()))).all(),
    "query": lambda s, o: [u.tenant_id for u in s.query(User)],
    "query_count": lambda s, o: [s.tenant_id] * s.query(User).count(),
    "count": lambda s, o: [s.tenant_id] * s.scalar(select(func.count()).select_from(User)),
    "join": lambda s, o: s.scalars(select(Widget.tenant_id).join(Dashboard, Dashboard.id == Widget.dashboard_id)).all(),
    "cross_join": lambda s, o: [t for row in s.execute(select(User.tenant_id, Query.tenant_id)) for t in row],
    "outer_join": lambda s, o: [
        t for row in s.execute(select(Dashboard.tenant_id, Widget.tenant_id).outerjoin(Widget, true())) for t in row
    ],
    "relationship_join": lambda s, o: s.scalars(select(Widget.tenant_id).join(Widget.dashboard)).all(),
    "alias": lambda s, o: s.scalars(select(aliased(User, name="u").tenant_id)).all(),
    "self_join": lambda s, o: _self_join(s),
    "subquery": lambda s, o: s.scalars(select(select(User.tenant_id).subquery().c.tenant_id)).all(),
    "cte": lambda s, o: s.scalars(select(select(User.tenant_id).cte("people").c.tenant_id)).all(),
    "scalar_subquery": lambda s, o: s.scalars(select(select(func.min(User.tenant_id)).scalar_subquery())).all(),
    "exists": lambda s, o: s.scalars(
        select(Dashboard.tenant_id).where(
            exists().where(Widget.dashboard_id == Dashboard.id, Widget.tenant_id == Dashboard.tenant_id)
        )
    ).all(),
    "any": lambda s, o: s.scalars(select(Dashboard.tenant_id).where(Dashboard.widgets.any())).all(),
    "in_subquery": lambda s, o: s.scalars(
        select(Widget.tenant_id).where(Widget.dashboard_id.in_(select(Dashboard.id)))
    ).all(),
    "union": lambda s, o: s.scalars(union(select(User.tenant_id), select(Query.tenant_id))).all(),
    "union_entities": lambda s, o: [
        u.tenant_id for u in s.scalars(select(User).from_statement(union_all(select(User), select(User))))
    ],
    "union_in_subquery": lambda s, o: s.scalars(
        select(union(select(User.tenant_id), select(Query.tenant_id)).subquery().c.tenant_id)
    ).all(),
    "get": lambda s, o: [u.tenant_id for u in [s.get(Quota, "parallel_queries")] if u],
    "get_of_another": lambda s, o: [u for u in [s.get(Quota, (o, "parallel_queries"))] if u],
    "get_tenant": lambda s, o: [t.tenant_id for t in (s.get(Tenant, o), s.get(Tenant, s.tenant_id)) if t],
    "lazy_load": lambda s, o: [w.tenant_id for d in s.scalars(select(Dashboard)) for w in d.widgets],
    "lazy_load_to_one": lambda s, o: [w.dashboard.tenant_id for w in s.scalars(select(Widget))],
    "joined_load": lambda s, o: [
        w.tenant_id for d in s.scalars(select(Dashboard).options(joinedload(Dashboard.widgets))).unique() for w in d.widgets
    ],
    "selectin_load": lambda s, o: [
        w.tenant_id for d in s.scalars(select(Dashboard).options(selectinload(Dashboard.widgets))) for w in d.widgets
    ],
    "refresh": lambda s, o: [_refreshed(s).tenant_id],
    "expired": lambda s, o: [_expired(s).tenant_id],
    "yield_per": lambda s, o: s.scalars(select(User.tenant_id).execution_options(yield_per=1)).all(),
    "for_update": lambda s, o: s.scalars(select(User.tenant_id).with_for_update()).all(),
    "window": lambda s, o: s.scalars(select(func.min(User.tenant_id).over(order_by=User.id)).select_from(User)).all(),
    "core_bound": lambda s, o: s.scalars(
        select(_table(User).c.tenant_id).where(_table(User).c.tenant_id == s.tenant_id)
    ).all(),
    "core_join_bound": lambda s, o: s.scalars(
        select(_table(Widget).c.tenant_id)
        .join(
            _table(Dashboard),
            (_table(Dashboard).c.id == _table(Widget).c.dashboard_id) & (_table(Dashboard).c.tenant_id == s.tenant_id),
        )
        .where(_table(Widget).c.tenant_id == s.tenant_id)
    ).all(),
    "text_bound": lambda s, o: s.scalars(
        text("SELECT tenant_id FROM users WHERE tenant_id = :t AND email <> ''"), {"t": s.tenant_id}
    ).all(),
    "text_entities": lambda s, o: [
        u.tenant_id
        for u in s.scalars(select(User).from_statement(text("SELECT * FROM users WHERE tenant_id = :t")), {"t": s.tenant_id})
    ],
    "update": lambda s, o: s.scalars(update(User).values(full_name="x").returning(User.tenant_id)).all(),
    "update_of_another": lambda s, o: s.scalars(
        update(User).where(User.tenant_id == o).values(full_name="x").returning(User.tenant_id)
    ).all(),
    "update_from": lambda s, o: (
        [s.tenant_id]
        * s.execute(
            update(Widget)
            .where(Widget.dashboard_id == Dashboard.id, Dashboard.tenant_id == s.tenant_id)
            .values(title=Dashboard.name)
        ).rowcount
    ),
    "delete": lambda s, o: s.scalars(delete(Widget).returning(Widget.tenant_id)).all(),
    "delete_in_subquery": lambda s, o: (
        [s.tenant_id] * s.execute(delete(Widget).where(Widget.dashboard_id.in_(select(Dashboard.id)))).rowcount
    ),
    "insert": lambda s, o: s.scalars(insert(Quota).values(key="k", value=1).returning(Quota.tenant_id)).all(),
    "core_insert": lambda s, o: s.scalars(
        insert(_table(Quota)).values(key="k", value=1).returning(_table(Quota).c.tenant_id)
    ).all(),
    "bulk_insert": lambda s, o: s.scalars(
        insert(Quota).returning(Quota.tenant_id), [{"key": f"k{i}", "value": i} for i in range(2500)]
    ).all(),
    "bulk_mappings": lambda s, o: (
        s.bulk_insert_mappings(Quota, [{"tenant_id": s.tenant_id, "key": "k", "value": 1}]),
        [s.tenant_id],
    )[1],
    "insert_many": lambda s, o: (
        s.execute(insert(Quota), [{"key": "k", "value": 1}, {"key": "l", "value": 1}]),
        _tenants(s, Quota),
    )[1],
    "insert_from_select": lambda s, o: _insert_from_select(s, [Quota.tenant_id]),
    "insert_from_select_defaults": lambda s, o: _insert_from_select(s, []),
    "add": lambda s, o: (s.add(q := Quota(key="k", value=1)), s.flush(), [q.tenant_id])[2],
    "add_child": lambda s, o: _add_child(s),
    "flush_update": lambda s, o: (setattr(q := s.scalars(select(Quota)).one(), "value", 8), s.flush(), [q.tenant_id])[2],
    "flush_delete": lambda s, o: (s.delete(q := s.scalars(select(Quota)).one()), s.flush(), [q.tenant_id])[2],
    "merge": lambda s, o: [s.merge(Quota(tenant_id=s.tenant_id, key="parallel_queries", value=99)).tenant_id],
    "savepoint": lambda s, o: _savepoint(s),
}


def _tenants(session: ScopedSession, model: Any) -> Any:
    return session.scalars(select(model.tenant_id)).all()


def _refreshed(session: ScopedSession) -> Any:
    session.refresh(user := session.scalars(select(User)).one())
    return user


def _expired(session: ScopedSession) -> Any:
    session.expire(user := session.scalars(select(User)).one())
    assert user.email == SHARED_EMAIL
    return user


def _add_child(session: ScopedSession) -> Any:
    dashboard = session.scalars(select(Dashboard)).one()
    dashboard.widgets.append(widget := Widget(query_json={}, chart_type="line"))
    session.flush()
    return [widget.tenant_id]


def _insert_from_select(session: ScopedSession, tenant: list[Any]) -> Any:
    source = select(*tenant, Quota.key + "2", Quota.value).where(Quota.tenant_id == session.tenant_id)
    session.execute(insert(Quota).from_select([*(column.key for column in tenant), "key", "value"], source))
    return _tenants(session, Quota)


def _self_join(session: ScopedSession) -> Any:
    one, two = aliased(User), aliased(User)
    return [
        tenant for row in session.execute(select(one.tenant_id, two.tenant_id).join(two, one.id != "")) for tenant in row
    ]


def _savepoint(session: ScopedSession) -> Any:
    nested = session.begin_nested()
    session.add(Quota(key="gone", value=1))
    session.flush()
    nested.rollback()
    with session.begin_nested():
        session.add(Quota(key="kept", value=1))
    assert set(session.scalars(select(Quota.key))) == {"kept", "parallel_queries"}
    return _tenants(session, Quota)


# ── what a manager writes every day: it passes on both engines ───────────────────────────────────────────────────

ORDINARY: dict[str, Callable[[ScopedSession], Any]] = {
    "contains": lambda s: s.scalars(select(User.id).where(User.email.contains("exem", autoescape=True))).all(),
    "icontains": lambda s: s.scalars(select(User.id).where(User.email.icontains("EXEM", autoescape=True))).all(),
    "ilike": lambda s: s.scalars(select(User.id).where(User.email.ilike("%exem%"))).all(),
    "not_like": lambda s: s.scalars(select(User.id).where(User.email.not_like("%zz!%%", escape="!"))).all(),
    "in": lambda s: s.scalars(select(User.id).where(User.role.in_(["administrator", "viewer"]))).all(),
    "in_nothing": lambda s: [*s.scalars(select(User.id).where(User.role.in_([]))).all(), 1],
    "keyset": lambda s: s.scalars(
        select(AuditEvent.id)
        .where(tuple_(AuditEvent.at, AuditEvent.id) < (LATER, "f"))
        .order_by(AuditEvent.at.desc())
        .limit(2)
    ).all(),
    "paged": lambda s: s.scalars(select(AuditEvent).order_by(AuditEvent.at).limit(2).offset(0)).all(),
    "group_having": lambda s: s.execute(
        select(AuditEvent.action, func.count()).group_by(AuditEvent.action).having(func.count() > 0)
    ).all(),
    "case": lambda s: s.execute(
        select(func.sum(case((User.role == "viewer", 1), else_=0)), func.max(User.created_at))
    ).all(),
    "nulls_last": lambda s: s.scalars(select(User.id).order_by(User.last_login_at.desc().nulls_last())).all(),
    "skip_locked": lambda s: s.scalars(
        select(Job).where(Job.status == "queued").limit(1).with_for_update(skip_locked=True)
    ).all(),
    "json_path": lambda s: [*s.scalars(select(Query.id).where(Query.model["tokens"].as_integer() > 3)).all(), 1],
    "json_text": lambda s: [*s.scalars(select(User.id).where(User.attributes["region"].as_string() == "Sud")).all(), 1],
    "exists_scalar": lambda s: [s.scalar(select(select(User.id).where(User.status == "active").exists()))],
    "exists_two": lambda s: s.scalars(
        select(Dashboard.id).where(
            or_(exists().where(DashboardRight.dashboard_id == Dashboard.id), Dashboard.created_by == "x")
        )
    ).all(),
    "outer_join_null": lambda s: s.execute(
        select(Dashboard, Workspace.name).outerjoin(Workspace, Workspace.id == Dashboard.workspace_id)
    ).all(),
    "three_joins": lambda s: s.execute(
        select(User.email, Workspace.name)
        .join(WorkspaceMember, WorkspaceMember.user_id == User.id)
        .join(Workspace, Workspace.id == WorkspaceMember.workspace_id)
    ).all(),
    "count_of_subquery": lambda s: [
        s.scalar(select(func.count()).select_from(select(User).where(User.role != "x").subquery()))
    ],
    "distinct": lambda s: s.scalars(select(AuditEvent.action).distinct()).all(),
    "coalesce_sum": lambda s: [s.scalar(select(func.coalesce(func.sum(SourceFile.size_bytes), 0)))],
    "literal": lambda s: s.execute(select(literal("x"), User.id)).all(),
    "nothing_of_a_table": lambda s: s.execute(select(literal(1), func.now())).all(),
    "update_returning": lambda s: s.scalars(
        update(User).where(User.failed_logins < 5).values(failed_logins=User.failed_logins + 1).returning(User.id)
    ).all(),
    "update_in_select": lambda s: [
        s.execute(update(RefreshToken).where(RefreshToken.user_id.in_(select(User.id))).values(revoked_at=LATER)).rowcount
    ],
    "update_case": lambda s: [s.execute(update(Quota).values(value=case((Quota.value > 1, 0), else_=Quota.value))).rowcount],
    "delete_oldest": lambda s: [
        s.execute(delete(Job).where(Job.id.in_(select(Job.id).order_by(Job.created_at).limit(1)))).rowcount
    ],
    "delete_not_exists": lambda s: [
        s.execute(delete(Feedback).where(~exists().where(Query.id == Feedback.query_id, Query.kind == "sql"))).rowcount
    ],
    "upsert": lambda s: [
        s.execute(
            _insert(s)(Quota)
            .values(key="parallel_queries", value=5)
            .on_conflict_do_update(index_elements=["tenant_id", "key"], set_={"value": 6})
            .returning(Quota.value)
        ).scalar_one()
    ],
    "insert_or_nothing": lambda s: [
        s.execute(
            _insert(s)(Quota).values([{"key": "a", "value": 5}, {"key": "b", "value": 5}]).on_conflict_do_nothing()
        ).rowcount
    ],
    "between": lambda s: s.scalars(
        select(AuditEvent.id).where(AuditEvent.at.between(LATER - timedelta(days=9999), LATER))
    ).all(),
    "window": lambda s: s.execute(
        select(AuditEvent.id, func.row_number().over(partition_by=AuditEvent.action, order_by=AuditEvent.at))
    ).all(),
    "cte_of_newest": lambda s: s.execute(
        select(AuditEvent.action).join(
            newest := select(func.max(AuditEvent.at).label("at")).cte("newest"), newest.c.at == AuditEvent.at
        )
    ).all(),
    "alias_of_subquery": lambda s: s.scalars(select(aliased(User, select(User).limit(5).subquery()))).all(),
}


def _insert(session: ScopedSession) -> Any:
    return (sqlite if session.get_bind().dialect.name == "sqlite" else postgresql).insert


TABLES = sorted(Base.metadata.tables)
MODELS = sorted((mapper.class_ for mapper in Base.registry.mappers), key=lambda model: str(model.__tablename__))
__all__ = ["MODELS", "ORDINARY", "PASSES", "REFUSED", "TABLES", "Erasure", "new_database", "populate"]
