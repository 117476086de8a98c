"""The models that providers publish for their payloads: each reads ours strictly, and writes back what it knows."""

import json
from base64 import b64decode
from collections.abc import Callable
from typing import Any

import botocore.session
from botocore.validate import ParamValidator
from ElasticEmail.models.email_send import EmailSend
from ElasticEmail.models.email_transactional_message_data import EmailTransactionalMessageData
from mailersend.models.email import EmailRequest
from mailtrap.models.mail.mail import Mail, SendingMailResponse
from pydantic import TypeAdapter

Json = dict[str, Any]
Model = Callable[[Json], Json]

SES = botocore.session.get_session().get_service_model("sesv2").operation_model("SendEmail")


def elasticemail(body: Json) -> Json:
    read = EmailTransactionalMessageData.from_dict(body)
    return written(read.to_json() if read else "{}")


def mailersend(body: Json) -> Json:
    return written(EmailRequest.model_validate(body).model_dump_json(by_alias=True, exclude_none=True))


def mailtrap(body: Json) -> Json:
    """Its names in Python are others than those of the wire for two fields."""
    named = {"sender" if name == "from" else name: value for name, value in body.items()}
    named["attachments"] = [
        {"mimetype" if name == "type" else name: value for name, value in one.items()}
        for one in body.get("attachments", [])
    ]
    read = TypeAdapter(Mail).validate_python({name: value for name, value in named.items() if value})
    return written(json.dumps(read.api_data))


def ses(body: Json) -> Json:
    """It wants bytes where the wire has Base64. It names what it does not know, and has nothing to write back."""
    raw = {"Data": b64decode(body["Content"]["Raw"]["Data"], validate=True)}
    report = ParamValidator().validate({**body, "Content": {"Raw": raw}}, SES.input_shape)
    if report.has_errors():
        raise ValueError(report.generate_report())
    return body


def written(text: str) -> Json:
    read: Json = json.loads(text)
    return read


MODELS: dict[str, Model] = {
    "elasticemail": elasticemail, "mailersend": mailersend, "mailtrap": mailtrap, "ses": ses,
}  # fmt: skip

# What a provider answers to a message, by its own model.
ANSWERS: dict[str, Model] = {
    "elasticemail": lambda body: written(read.to_json()) if (read := EmailSend.from_dict(body)) else {},
    "mailtrap": lambda body: vars(TypeAdapter(SendingMailResponse).validate_python(body)),
}
