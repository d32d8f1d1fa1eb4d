"""The requester of a build, from Argo CD, and the policy that judges it. Pure.

Rules enforced here: nothing that a user of Argo CD may set is read, so no ``ARGOCD_ENV_*`` and no
parameter; where Argo CD calls, or ``KRMFN_REQUIRE_POLICY`` says so, a policy is required.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from krmfn.spec.platform import PlatformSpec

NAME, REQUIRE = "ARGOCD_APP_NAME", "KRMFN_REQUIRE_POLICY"
DESTINATION = "ARGOCD_APP_NAMESPACE"
_REFUSED = frozenset("%?#\\")


@dataclass(frozen=True)
class Application:
    """Facts about one build that its repository cannot choose; unknown ones are empty.

    Attributes:
        destination: the namespace that the application is deployed to.
    """

    project: str = ""
    repository: str = ""
    destination: str = ""


@dataclass(frozen=True)
class Policy:
    """The platform's configuration, and the build that it judges.

    Attributes:
        address: of stores that name no server, from the environment.
    """

    spec: PlatformSpec
    application: Application
    address: str = ""


def application_of(environ: Mapping[str, str]) -> Application:
    """Return the application from the environment."""
    repository = environ.get("ARGOCD_APP_SOURCE_REPO_URL", "")
    return Application(
        project=environ.get("ARGOCD_APP_PROJECT_NAME", ""),
        repository=repository if _plain(repository) else "",
        destination=environ.get(DESTINATION, ""),
    )


def policy_required(environ: Mapping[str, str]) -> bool:
    """Whether a build without a policy is refused."""
    return NAME in environ or environ.get(REQUIRE, "") not in ("", "0")


def _plain(address: str) -> bool:
    """Whether a pattern can match an address, because it has only one spelling."""
    segments = address.split("/")
    return (
        address.isprintable()
        and " " not in address
        and not _REFUSED & set(address)
        and not {".", ".."} & set(segments)
    )
