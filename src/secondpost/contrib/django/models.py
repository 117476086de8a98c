"""The outbox: messages that were queued in the app's own transactions, until the worker has handed them over."""

from django.db import models


class Outgoing(models.Model):
    """One message. It is there if and only if the transaction that sent it was committed."""

    id = models.BigIntegerField(primary_key=True)
    urgency = models.SmallIntegerField(default=1)  # 0 urgent, 1 normal, 2 bulk: the order of the worker
    sender = models.TextField()
    recipients = models.JSONField()
    content = models.BinaryField()
    priority = models.CharField(max_length=10, blank=True)
    tags = models.JSONField(default=list)
    metadata = models.JSONField(default=dict)
    key = models.CharField(max_length=200, blank=True)
    created = models.DateTimeField(auto_now_add=True)
    refusal = models.TextField(blank=True)  # why it will never be taken; it stays for a person to see

    class Meta:
        db_table = "secondpost_outbox"
        verbose_name = "outgoing message"
        indexes = (models.Index(fields=["urgency", "id"], name="secondpost_outbox_order"),)

    def __str__(self) -> str:
        return f"{self.id} to {', '.join(self.recipients)}"
