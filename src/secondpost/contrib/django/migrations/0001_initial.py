"""The outbox."""

from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    dependencies = ()
    operations = (
        migrations.CreateModel(
            name="Outgoing",
            fields=[
                ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("urgency", models.SmallIntegerField(default=1)),
                ("sender", models.TextField()),
                ("recipients", models.JSONField()),
                ("content", models.BinaryField()),
                ("priority", models.CharField(blank=True, max_length=10)),
                ("tags", models.JSONField(default=list)),
                ("metadata", models.JSONField(default=dict)),
                ("key", models.CharField(blank=True, max_length=200)),
                ("created", models.DateTimeField(auto_now_add=True)),
                ("refusal", models.TextField(blank=True)),
            ],
            options={
                "verbose_name": "outgoing message",
                "db_table": "secondpost_outbox",
                "indexes": [models.Index(fields=["urgency", "id"], name="secondpost_outbox_order")],
            },
        ),
    )
