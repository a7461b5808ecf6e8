"""The demo's tenants: administrator, analyst and manager, the data as a source, the layer accepted, a dashboard published.

Every step looks at what is there and adds what is missing, so that a start that was interrupted is completed by the
next one, and one that finds everything writes nothing. It goes through the platform's own managers, as its people would: an
administrator who registers, who invites, who uploads files, accepts a layer and publishes. Passwords are made here once and
kept in the demo's folder; whoever changes theirs keeps the change.

The data end with the present month, or « le mois dernier » would have none: they are made again each month, and the source's
files replaced.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import date
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datapilot_kernel.errors import Fault
from hub_config.demo.folder import Folder, write_private
from hub_config.principal import Principal, Role

if TYPE_CHECKING:
    from datapilot_kernel.demo.tables import DemoTenant
    from hub_config.platform import Platform
    from hub_config.settings import Settings

Told = Callable[..., None]
"""Called with a key of the catalogue ``local`` and its values before a step that takes a while."""

_READ_S = 120.0


@dataclass(frozen=True)
class Company:
    """A demo tenant's name and people: (role, address before the @, full name).

    Attributes
    ----------
    board, questions
        The dashboard that its manager opens, and what is on it: (title, question). Periods are relative, as the data are.
    """

    slug: str
    name: str
    people: tuple[tuple[Role, str, str], ...]
    board: str
    questions: tuple[tuple[str, str], ...]

    def email(self, before: str) -> str:
        """Return an address that reaches nobody (``example`` is reserved)."""
        return f"{before}@{self.slug}.example"


COMPANIES = (
    Company(
        "maison-lumiere",
        "Maison Lumière",
        (
            ("administrator", "admin", "Camille Fontaine"),
            ("analyst", "analyste", "Léa Marchand"),
            ("viewer", "responsable", "Hugo Bernard"),
        ),
        "Les ventes",
        (
            ("Le mois dernier", "chiffre d'affaires du mois dernier par rapport au mois précédent"),
            ("Chiffre d’affaires par mois", "chiffre d'affaires par mois sur les 12 derniers mois"),
            ("Chiffre d’affaires par région", "chiffre d'affaires par région sur les 12 derniers mois"),
            ("Les dix premiers produits", "top 10 des produits par chiffre d'affaires sur les 12 derniers mois"),
            ("Marge par mois", "marge par mois sur les 12 derniers mois"),
            ("Panier moyen par canal", "panier moyen par canal de vente sur les 12 derniers mois"),
        ),
    ),
    Company(
        "atelier-roche",
        "Atelier Roche",
        (
            ("administrator", "admin", "Nadia Perrin"),
            ("analyst", "analyste", "Karim Dumas"),
            ("viewer", "responsable", "Sophie Roche"),
        ),
        "La production",
        (
            ("Délais tenus le mois dernier", "taux de respect des délais du mois dernier"),
            ("Délais tenus par mois", "taux de respect des délais par mois sur les 12 derniers mois"),
            ("Coût des rebuts par cause", "coût des rebuts par cause sur les 12 derniers mois"),
            ("Temps d’arrêt par type", "temps d'arrêt par type d'arrêt sur les 12 derniers mois"),
            ("Ordres de fabrication en retard", "nombre d'OF en retard par mois sur les 12 derniers mois"),
            ("Montant des devis par mois", "montant des devis par mois sur les 12 derniers mois"),
        ),
    ),
)


@dataclass(frozen=True)
class Account:
    """Somebody who may sign in, with the password of the first day."""

    company: str
    role: Role
    full_name: str
    email: str
    password: str


def _password() -> str:
    """Return a password that can be read aloud and typed: four words and a number, some 33 bits behind a lockout."""
    words = files("hub_config.demo").joinpath("words.txt").read_text(encoding="utf-8").split()
    return "-".join([*(secrets.choice(words) for _ in range(4)), str(secrets.randbelow(90) + 10)])


def accounts(folder: Folder) -> list[Account]:
    """Return everybody with their first password; made at the first call."""
    kept: dict[str, str] = json.loads(folder.accounts.read_text(encoding="utf-8")) if folder.accounts.exists() else {}
    found = [
        Account(company.name, role, full_name, company.email(before), kept.get(company.email(before)) or _password())
        for company in COMPANIES
        for role, before, full_name in company.people
    ]
    if {a.email for a in found} - kept.keys():
        write_private(folder.accounts, json.dumps({a.email: a.password for a in found}, indent=1) + "\n")
    return found


def make_data(folder: Folder, told: Told, *, day: date) -> None:
    """Make each tenant's files, unless those of this month are there."""
    from datapilot_kernel.demo.loader import load_tenant, tenants

    for slug, tenant in tenants().items():
        made = folder.made(slug)
        if not made.exists() or made.read_text(encoding="utf-8")[:7] != day.isoformat()[:7]:
            told("making_data", name=_company(slug).name)
            load_tenant(tenant, str(folder.data(slug)), today=day)
            made.write_text(day.isoformat(), encoding="utf-8")


def seed(settings: Settings, folder: Folder, told: Told, *, day: date) -> list[Account]:
    """Make what is missing of tenants, people, sources and layers; return everybody.

    Parameters
    ----------
    settings
        The API's. Nothing else may have its database open for writing meanwhile.
    """
    from datapilot_kernel.demo.loader import tenants
    from hub_config.commands.opening import opened_platform

    make_data(folder, told, day=day)
    everybody = accounts(folder)
    with opened_platform(settings) as platform:
        platform.vault.prepare(platform.database)
        platform.sources.start()
        for company in COMPANIES:
            passwords = {a.email: a.password for a in everybody}
            administrator = _people(platform, company, passwords, told)
            tenant = tenants()[company.slug]
            source_id = _source(platform, company, tenant, administrator, folder, told)
            _dashboard(platform, company, tenant, administrator, source_id, folder, told, day=day)
            _welcome(folder, company, administrator.tenant_id)
    return everybody


def _company(slug: str) -> Company:
    return next(company for company in COMPANIES if company.slug == slug)


def _people(platform: Platform, company: Company, passwords: dict[str, str], told: Told) -> Principal:
    """Make the tenant and its people; return its administrator."""
    first, *others = company.people
    administrator = _administrator(platform, company)
    if administrator is None:
        told("making_people", name=company.name)
        email = company.email(first[1])
        platform.people.registration.register(
            tenant_name=company.name, email=email, password=passwords[email], full_name=first[2]
        )
        administrator = _administrator(platform, company)
        if administrator is None:
            raise Fault(log="a demo tenant that was made is not there")
    known = {user.email for user in platform.people.accounts.list(administrator)}
    for role, before, full_name in others:
        email = company.email(before)
        if email not in known:
            link = platform.people.invitations.create(administrator, email=email, role=role)
            _, _, secret = str(link.url).partition("#")
            platform.people.invitations.accept(secret, full_name=full_name, password=passwords[email])
    return administrator


def _administrator(platform: Platform, company: Company) -> Principal | None:
    """Return the demo's administrator of this company; None: there is no such tenant yet."""
    from sqlalchemy import select

    from hub_config.database import Tenant, User, email_key
    from hub_config.people.ground import principal_of

    with platform.database.operator() as session:
        ids = session.scalars(select(Tenant.id).where(Tenant.name == company.name)).all()
    key = email_key(company.email(company.people[0][1]))
    for tenant_id in ids:
        with platform.database.tenant(tenant_id, read_only=True) as session:
            user = session.scalars(select(User).where(User.email_key == key)).one_or_none()
            if user is not None:
                return principal_of(user)
    return None


def _source(
    platform: Platform, company: Company, tenant: DemoTenant, administrator: Principal, folder: Folder, told: Told
) -> str:
    """Make the source of the tenant's files, or replace those of an earlier month; accept the layer. Return its id."""
    from datapilot_kernel.demo.loader import layer_path

    manager, layers = platform.sources.administration, platform.sources.layers
    # What is imported is written beside: a start that was interrupted before this imports again.
    imported, made = folder.root / f".{company.slug}.imported", folder.made(company.slug).read_text(encoding="utf-8")
    existing = {view.name: view for view in manager.listed(administrator, limit=100)}
    source = existing.get(company.name)
    paths = sorted(folder.data(company.slug).glob("*.csv"))
    if source is None or not imported.exists() or imported.read_text(encoding="utf-8") != made:
        told("importing", name=company.name)
        uploads = [_uploaded(platform, administrator, path) for path in paths]
        if source is None:
            source, job = manager.create_files(administrator, company.name, uploads, {})
        else:
            source, job = manager.add_files(administrator, source.id, uploads, {})
        _await_job(platform, administrator, job)
        imported.write_text(made, encoding="utf-8")
    if layers.in_force(administrator, source.id) is None:
        told("accepting", name=company.name)
        version, _ = layers.save(administrator, source.id, layer_path(tenant).read_text(encoding="utf-8"))
        layers.accept(administrator, version.id)
    return str(source.id)


def _dashboard(
    platform: Platform, company: Company, tenant: DemoTenant, administrator: Principal, source_id: str, folder: Folder,
    told: Told, *, day: date,
) -> None:  # fmt: skip
    """Publish the dashboard that the tenant's manager opens. Once: who takes it away has it away."""
    from datapilot_kernel.catalog.values import ValueIndex
    from datapilot_kernel.demo.loader import layer_path
    from datapilot_kernel.nl2sql.local import LocalEngine
    from datapilot_kernel.nl2sql.understanding import Understood
    from datapilot_kernel.semantic.loading import parse_layer
    from hub_config.content.dashboards import Right

    published = folder.root / f".{company.slug}.published"
    if published.exists():
        return
    told("publishing", name=company.name)
    dashboards = platform.content.dashboards
    for left in dashboards.listed(administrator, limit=100):
        if left.name == company.board and left.status == "draft":  # a start that was interrupted
            dashboards.delete(administrator, left.id)
    layer, findings = parse_layer(layer_path(tenant).read_text(encoding="utf-8"))
    if layer is None:
        raise Fault(log=f"the demo's layer cannot be read: {findings}")
    engine = LocalEngine(layer, ValueIndex({}))
    made = dashboards.create(administrator, company.board)
    for position, (title, question) in enumerate(company.questions):
        understood = engine.understand(question, today=day)
        if not isinstance(understood, Understood):
            raise Fault(log=f"the demo's dashboard asks what is not understood: {question}")
        query = {"source_id": source_id, "question": question, "plan": understood.plan.model_dump(mode="json")}
        dashboards.add_widget(administrator, made.id, title=title, query=query, chart_type="auto", position=position)
    dashboards.set_rights(administrator, made.id, [Right(role="viewer")])
    platform.content.publishing.publish(administrator, made.id)
    published.touch()


def _uploaded(platform: Platform, administrator: Principal, path: Path) -> str:
    import anyio

    async def blocks() -> AsyncIterator[bytes]:
        async with await anyio.open_file(path, "rb") as file:
            while block := await file.read(1024 * 1024):
                yield block

    uploads = platform.sources.uploads
    receive = partial(
        uploads.receive,
        administrator,
        blocks(),
        content_type="text/csv",
        file_name=path.name,
        content_length=path.stat().st_size,
        quota_bytes=uploads.quota_bytes(administrator),
    )
    return anyio.run(receive).id


def _await_job(platform: Platform, administrator: Principal, job_id: str) -> None:
    from hub_config.database import Job

    deadline = time.monotonic() + _READ_S
    while time.monotonic() < deadline:
        with platform.database.tenant(administrator.tenant_id, read_only=True) as session:
            job: Any = session.get(Job, job_id)
            status, problem = job.status, job.problem_code
        if status == "done":
            return
        if status not in ("queued", "running"):
            raise Fault(log=f"the demo's files could not be read: {status} {problem}")
        time.sleep(0.1)
    raise Fault(log="the demo's files were not read in time")


def _welcome(folder: Folder, company: Company, tenant_id: str) -> None:
    """Lay the notebook that greets this tenant's people where the spawner takes it."""
    target = folder.hub / "welcome" / tenant_id
    target.mkdir(parents=True, exist_ok=True)
    shipped = files("hub_config.demo").joinpath("notebooks", f"{company.slug}.ipynb")
    (target / "Decouverte.ipynb").write_text(shipped.read_text(encoding="utf-8"), encoding="utf-8")
