"""Who may do what: every route of the web admin with the permission it needs, and the permissions of each role.

Rule: deny by default. A route without a line here stops the start; the table of routes and roles in
`tests/admin/permissions.txt` is reviewed by a person.
"""

from enum import StrEnum

from secondpost.service.users import Role


class Permission(StrEnum):
    OPEN = "open"  # everybody, without signing in
    SELF = "self"  # one's own account
    READ = "read"  # what became of mail, without its content
    CONTENT = "content"  # reading mail; each look is recorded
    OPERATE = "operate"  # tests, sending again, settling doubts
    EXPORT = "export"
    CONFIGURE = "configure"  # connections, routes and all other settings
    DELETE = "delete"
    ACCESS = "access"  # users, log-ins of clients, the audit log


_VIEWER = frozenset({Permission.OPEN, Permission.SELF, Permission.READ})
_OPERATOR = _VIEWER | {Permission.CONTENT, Permission.OPERATE, Permission.EXPORT}
ROLES = {
    Role.VIEWER: _VIEWER,
    Role.OPERATOR: _OPERATOR,
    Role.ADMIN: frozenset(Permission),
    Role.OWNER: frozenset(Permission),  # and only an owner makes, changes or removes owners
}

TABLE = {
    # Coming in
    "GET /static/{name}": Permission.OPEN,
    "GET /sign-in": Permission.OPEN,
    "POST /sign-in": Permission.OPEN,
    "GET /join/{secret}": Permission.OPEN,
    "POST /join/{secret}": Permission.OPEN,
    "POST /sign-out": Permission.SELF,
    "GET /": Permission.SELF,
    "GET /wizard": Permission.CONFIGURE,
    "POST /wizard/leave": Permission.CONFIGURE,
    "GET /wizard/connection": Permission.CONFIGURE,
    "POST /wizard/connection": Permission.CONFIGURE,
    "GET /wizard/checked": Permission.CONFIGURE,
    "GET /wizard/from": Permission.CONFIGURE,
    "POST /wizard/from": Permission.CONFIGURE,
    "GET /wizard/backup": Permission.CONFIGURE,
    "POST /wizard/backup": Permission.CONFIGURE,
    "GET /wizard/test": Permission.CONFIGURE,
    "POST /wizard/test": Permission.CONFIGURE,
    "GET /wizard/done": Permission.CONFIGURE,
    "GET /wizard/first": Permission.CONFIGURE,
    # One's own account
    "GET /account": Permission.SELF,
    "POST /account/password": Permission.SELF,
    "GET /account/codes": Permission.SELF,
    "POST /account/codes": Permission.SELF,
    "POST /account/codes/off": Permission.SELF,
    "POST /account/sessions": Permission.SELF,
    # Email Log
    "GET /log": Permission.READ,
    "POST /log/views": Permission.READ,
    "POST /log/views/remove": Permission.READ,
    "POST /log/columns": Permission.READ,
    "POST /log/resend": Permission.OPERATE,
    "GET /log/jobs/{name}": Permission.OPERATE,
    "POST /log/delete": Permission.DELETE,
    "POST /log/export": Permission.EXPORT,
    "GET /log/{id}": Permission.READ,
    "GET /log/{id}/resend": Permission.OPERATE,
    "POST /log/{id}/resend": Permission.OPERATE,
    "GET /log/{id}/content": Permission.CONTENT,
    "GET /log/{id}/html": Permission.CONTENT,
    "GET /log/{id}/source": Permission.CONTENT,
    "GET /log/{id}/attachments/{number}": Permission.CONTENT,
    # Dashboard
    "GET /dashboard": Permission.READ,
    "GET /dashboard/live": Permission.READ,
    # Queue
    "GET /queue": Permission.READ,
    "POST /queue/try-now": Permission.OPERATE,
    "POST /queue/cancel": Permission.OPERATE,
    "GET /unclear": Permission.READ,
    "POST /unclear/arrived": Permission.OPERATE,
    "POST /unclear/send-again": Permission.OPERATE,
    # Inbox
    "GET /inbox": Permission.READ,
    "POST /inbox/delete": Permission.DELETE,
    # Email Reports
    "GET /reports": Permission.READ,
    "GET /reports/csv": Permission.EXPORT,
    # Settings
    "GET /settings/general": Permission.CONFIGURE,
    "POST /settings/general": Permission.CONFIGURE,
    "GET /settings/log": Permission.CONFIGURE,
    "POST /settings/log": Permission.CONFIGURE,
    "GET /settings/connections": Permission.CONFIGURE,
    "GET /settings/connections/new": Permission.CONFIGURE,
    "POST /settings/connections/new": Permission.CONFIGURE,
    "GET /settings/connections/{name}": Permission.CONFIGURE,
    "POST /settings/connections/{name}": Permission.CONFIGURE,
    "POST /settings/connections/{name}/verify": Permission.CONFIGURE,
    "POST /settings/connections/{name}/provider": Permission.CONFIGURE,
    "POST /settings/connections/{name}/duplicate": Permission.CONFIGURE,
    "POST /settings/connections/{name}/switch": Permission.CONFIGURE,
    "GET /settings/connections/{name}/delete": Permission.CONFIGURE,
    "POST /settings/connections/{name}/delete": Permission.CONFIGURE,
    "GET /settings/access": Permission.ACCESS,
    "POST /settings/access/users": Permission.ACCESS,
    "POST /settings/access/links/withdraw": Permission.ACCESS,
    "POST /settings/access/sessions/end": Permission.ACCESS,
    "GET /settings/access/audit": Permission.ACCESS,
    "GET /settings/access/user": Permission.ACCESS,
    "POST /settings/access/user/role": Permission.ACCESS,
    "POST /settings/access/user/reset": Permission.ACCESS,
    "POST /settings/access/user/sessions": Permission.ACCESS,
    "GET /settings/access/user/remove": Permission.ACCESS,
    "POST /settings/access/user/remove": Permission.ACCESS,
    "POST /settings/access/credentials": Permission.ACCESS,
    "POST /settings/access/keys": Permission.ACCESS,
    "GET /settings/access/revoke": Permission.ACCESS,
    "POST /settings/access/revoke": Permission.ACCESS,
    "GET /settings/routing": Permission.CONFIGURE,
    "POST /settings/routing": Permission.CONFIGURE,
    "GET /settings/routing/try": Permission.CONFIGURE,
    "POST /settings/routing/try": Permission.CONFIGURE,
    "GET /settings/routing/new": Permission.CONFIGURE,
    "POST /settings/routing/new": Permission.CONFIGURE,
    "GET /settings/routing/{id}": Permission.CONFIGURE,
    "POST /settings/routing/{id}": Permission.CONFIGURE,
    "POST /settings/routing/{id}/move": Permission.CONFIGURE,
    "POST /settings/routing/{id}/switch": Permission.CONFIGURE,
    "GET /settings/routing/{id}/delete": Permission.CONFIGURE,
    "POST /settings/routing/{id}/delete": Permission.CONFIGURE,
    "GET /settings/controls": Permission.CONFIGURE,
    "GET /settings/controls/new": Permission.CONFIGURE,
    "POST /settings/controls/new": Permission.CONFIGURE,
    "GET /settings/controls/{id}": Permission.CONFIGURE,
    "POST /settings/controls/{id}": Permission.CONFIGURE,
    "POST /settings/controls/{id}/move": Permission.CONFIGURE,
    "POST /settings/controls/{id}/switch": Permission.CONFIGURE,
    "GET /settings/controls/{id}/delete": Permission.CONFIGURE,
    "POST /settings/controls/{id}/delete": Permission.CONFIGURE,
    "GET /settings/misc": Permission.CONFIGURE,
    "POST /settings/misc": Permission.CONFIGURE,
    "POST /settings/misc/limits": Permission.CONFIGURE,
    "POST /settings/misc/export": Permission.CONFIGURE,
    "POST /settings/misc/import": Permission.CONFIGURE,
    # Tools
    "GET /tools/email-test": Permission.OPERATE,
    "POST /tools/email-test": Permission.OPERATE,
    "GET /tools/email-test/{id}": Permission.OPERATE,
    "GET /tools/drill": Permission.OPERATE,
    "POST /tools/drill": Permission.OPERATE,
    "POST /tools/drill/begin": Permission.CONFIGURE,
    "POST /tools/drill/end": Permission.OPERATE,
    "POST /tools/drill/schedule": Permission.CONFIGURE,
    "GET /tools/domain-check": Permission.OPERATE,
    "POST /tools/domain-check": Permission.OPERATE,
    "GET /tools/events": Permission.OPERATE,
    "GET /tools/export": Permission.EXPORT,
    "POST /tools/export/log": Permission.EXPORT,
    "POST /tools/export/settings": Permission.CONFIGURE,
}


def may(role: Role | None, permission: Permission) -> bool:
    """Whether a user of that role, or nobody in particular (None), has the permission."""
    return permission is Permission.OPEN if role is None else permission in ROLES[role]
