"""Loads one table with dlt as its guide for SQL databases says; what to load comes in the environment."""

import os

import dlt
from dlt.destinations import postgres
from dlt.sources.sql_database import sql_table

source = os.environ["BENCH_SOURCE"]
backend = os.environ["BENCH_BACKEND"]
further = {}
if backend != "sqlalchemy":
    further = {"backend": backend}
if backend == "connectorx":
    further["backend_kwargs"] = {"conn": source}

table = sql_table(credentials=source, schema="public", table="orders", **further)
pipeline = dlt.pipeline(
    pipeline_name="bench",
    pipelines_dir=os.environ["BENCH_FOLDER"],
    destination=postgres(os.environ["BENCH_DESTINATION"]),
    dataset_name=os.environ["BENCH_SCHEMA"],
)
pipeline.run(table, write_disposition="replace").raise_on_failed_jobs()
