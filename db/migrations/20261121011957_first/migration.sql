CREATE TYPE "actor_type" AS ENUM('user', 'api_key', 'recipient', 'unknown');--> statement-breakpoint
CREATE TYPE "connection_role" AS ENUM('source', 'destination');--> statement-breakpoint
CREATE TYPE "environment" AS ENUM('staging', 'prod');--> statement-breakpoint
CREATE TYPE "model_status" AS ENUM('PENDING', 'RUNNING', 'SUCCESS', 'ERROR', 'CANCELLED');--> statement-breakpoint
CREATE TYPE "name_kind" AS ENUM('table', 'column');--> statement-breakpoint
CREATE TYPE "probe_kind" AS ENUM('source', 'destination', 'model');--> statement-breakpoint
CREATE TYPE "transfer_status" AS ENUM('PENDING', 'RUNNING', 'SUCCESS', 'PARTIAL_FAILURE', 'ERROR', 'CANCELLED', 'EXPIRED', 'ORPHANED');--> statement-breakpoint
CREATE TYPE "transfer_trigger" AS ENUM('manual', 'schedule', 'backfill');--> statement-breakpoint
CREATE TABLE "api_keys" (
	"id" uuid PRIMARY KEY,
	"environment" "environment" NOT NULL,
	"name" text NOT NULL,
	"key_hash" text NOT NULL UNIQUE,
	"prefix" text NOT NULL,
	"created_at" timestamp(6) with time zone DEFAULT now() NOT NULL,
	"expires_at" timestamp(6) with time zone,
	"last_used_at" timestamp(6) with time zone,
	"revoked_at" timestamp(6) with time zone
);
--> statement-breakpoint
CREATE TABLE "audit_log" (
	"id" uuid PRIMARY KEY,
	"environment" "environment" NOT NULL,
	"at" timestamp(6) with time zone DEFAULT now() NOT NULL,
	"event_type" text NOT NULL,
	"resource_id" text NOT NULL,
	"actor_id" text NOT NULL,
	"actor_type" "actor_type" NOT NULL,
	"object" jsonb,
	"previous_object" jsonb
);
--> statement-breakpoint
CREATE TABLE "connections" (
	"id" uuid PRIMARY KEY,
	"environment" "environment" NOT NULL,
	"role" "connection_role" NOT NULL,
	"vendor" text NOT NULL,
	"settings" jsonb NOT NULL,
	"secrets" text NOT NULL,
	"secret_paths" text[] NOT NULL,
	"created_at" timestamp(6) with time zone DEFAULT now() NOT NULL,
	"expires_at" timestamp(6) with time zone
);
--> statement-breakpoint
CREATE TABLE "destinations" (
	"id" uuid PRIMARY KEY,
	"environment" "environment" NOT NULL,
	"recipient_id" uuid NOT NULL,
	"vendor" text NOT NULL,
	"name" text NOT NULL,
	"connection_id" uuid NOT NULL,
	"place" text NOT NULL,
	"enabled_models" text[] NOT NULL,
	"frequency_minutes" integer NOT NULL,
	"is_enabled" boolean NOT NULL,
	"max_concurrent_transfers" integer NOT NULL,
	"max_concurrent_queries_per_transfer" integer NOT NULL,
	"machine_type_id" uuid,
	"last_successful_transfer_ended_at" timestamp(6) with time zone,
	"created_at" timestamp(6) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp(6) with time zone DEFAULT now() NOT NULL,
	"deleted_at" timestamp(6) with time zone
);
--> statement-breakpoint
CREATE TABLE "idempotency_keys" (
	"environment" "environment",
	"key" text,
	"body_hash" text NOT NULL,
	"transfer_id" uuid NOT NULL,
	"created_at" timestamp(6) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "idempotency_keys_pkey" PRIMARY KEY("environment","key")
);
--> statement-breakpoint
CREATE TABLE "model_revisions" (
	"id" uuid PRIMARY KEY,
	"model_id" uuid NOT NULL,
	"environment" "environment" NOT NULL,
	"number" integer NOT NULL,
	"definition" jsonb NOT NULL,
	"source_id" uuid NOT NULL,
	"created_at" timestamp(6) with time zone DEFAULT now() NOT NULL,
	"created_by" text NOT NULL
);
--> statement-breakpoint
CREATE TABLE "model_states" (
	"destination_id" uuid,
	"model_id" uuid,
	"watermark" text,
	"guarantee" jsonb,
	"applied_table" jsonb,
	"updated_at" timestamp(6) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "model_states_pkey" PRIMARY KEY("destination_id","model_id")
);
--> statement-breakpoint
CREATE TABLE "models" (
	"id" uuid PRIMARY KEY,
	"environment" "environment" NOT NULL,
	"name" text NOT NULL,
	"current_revision_id" uuid NOT NULL,
	"source_id" uuid NOT NULL,
	"created_at" timestamp(6) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp(6) with time zone DEFAULT now() NOT NULL,
	"deleted_at" timestamp(6) with time zone
);
--> statement-breakpoint
CREATE TABLE "name_history" (
	"environment" "environment" NOT NULL,
	"model_id" uuid,
	"kind" "name_kind",
	"name" text,
	"data_type" text,
	"first_seen_at" timestamp(6) with time zone DEFAULT now() NOT NULL,
	"dropped_at" timestamp(6) with time zone,
	CONSTRAINT "name_history_pkey" PRIMARY KEY("model_id","kind","name")
);
--> statement-breakpoint
CREATE TABLE "probes" (
	"id" uuid PRIMARY KEY,
	"environment" "environment" NOT NULL,
	"kind" "probe_kind" NOT NULL,
	"connection_id" uuid NOT NULL,
	"input" jsonb NOT NULL,
	"result" jsonb,
	"created_at" timestamp(6) with time zone DEFAULT now() NOT NULL,
	"finished_at" timestamp(6) with time zone,
	"expires_at" timestamp(6) with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "products" (
	"id" uuid PRIMARY KEY,
	"environment" "environment" NOT NULL,
	"name" text NOT NULL,
	"models" text[] NOT NULL,
	"created_at" timestamp(6) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp(6) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "recipients" (
	"id" uuid PRIMARY KEY,
	"environment" "environment" NOT NULL,
	"name" text NOT NULL,
	"id_in_provider_system" text NOT NULL,
	"products" text[] NOT NULL,
	"default_full_refresh_min_start_time_epoch" bigint,
	"created_at" timestamp(6) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp(6) with time zone DEFAULT now() NOT NULL,
	"deleted_at" timestamp(6) with time zone
);
--> statement-breakpoint
CREATE TABLE "sources" (
	"id" uuid PRIMARY KEY,
	"environment" "environment" NOT NULL,
	"name" text NOT NULL,
	"vendor" text NOT NULL,
	"connection_id" uuid NOT NULL,
	"is_reachable" boolean,
	"last_checked_at" timestamp(6) with time zone,
	"created_at" timestamp(6) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp(6) with time zone DEFAULT now() NOT NULL,
	"deleted_at" timestamp(6) with time zone
);
--> statement-breakpoint
CREATE TABLE "transfer_log" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "transfer_log_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"transfer_id" uuid NOT NULL,
	"at" timestamp(6) with time zone DEFAULT now() NOT NULL,
	"line" text NOT NULL,
	"is_debug" boolean NOT NULL
);
--> statement-breakpoint
CREATE TABLE "transfer_models" (
	"transfer_id" uuid,
	"model_id" uuid,
	"position" integer NOT NULL,
	"model_name" text NOT NULL,
	"revision_id" uuid NOT NULL,
	"source_id" uuid NOT NULL,
	"source_connection_id" uuid,
	"status" "model_status" NOT NULL,
	"plan" jsonb,
	"guarantee" jsonb,
	"rows" bigint DEFAULT 0 NOT NULL,
	"delta_rows" bigint DEFAULT 0 NOT NULL,
	"rows_changed" bigint DEFAULT 0 NOT NULL,
	"bytes" bigint DEFAULT 0 NOT NULL,
	"window_after" text,
	"window_up_to" text,
	"most_recent_at" text,
	"failures_since_commit" integer DEFAULT 0 NOT NULL,
	"failing_since" timestamp(6) with time zone,
	"error" jsonb,
	"started_at" timestamp(6) with time zone,
	"ended_at" timestamp(6) with time zone,
	CONSTRAINT "transfer_models_pkey" PRIMARY KEY("transfer_id","model_id")
);
--> statement-breakpoint
CREATE TABLE "transfers" (
	"id" uuid PRIMARY KEY,
	"environment" "environment" NOT NULL,
	"destination_id" uuid NOT NULL,
	"recipient_id" uuid NOT NULL,
	"status" "transfer_status" NOT NULL,
	"trigger" "transfer_trigger" NOT NULL,
	"is_full_refresh" boolean NOT NULL,
	"is_debug_mode" boolean NOT NULL,
	"is_paused" boolean DEFAULT false NOT NULL,
	"start_window_at" timestamp(6) with time zone,
	"end_window_at" timestamp(6) with time zone,
	"tags" jsonb NOT NULL,
	"actor_id" text NOT NULL,
	"actor_type" "actor_type" NOT NULL,
	"tenant_id" text NOT NULL,
	"start_bound_epoch" bigint,
	"submitted_at" timestamp(6) with time zone NOT NULL,
	"enqueued_at" timestamp(6) with time zone,
	"started_at" timestamp(6) with time zone,
	"ended_at" timestamp(6) with time zone,
	"cancel_requested_at" timestamp(6) with time zone,
	"destination_connection_id" uuid,
	"workflow_run_id" text,
	"error" jsonb
);
--> statement-breakpoint
CREATE INDEX "audit_log_at" ON "audit_log" ("environment","at","id");--> statement-breakpoint
CREATE INDEX "audit_log_resource_id" ON "audit_log" ("environment","resource_id","at");--> statement-breakpoint
CREATE INDEX "connections_expires_at" ON "connections" ("expires_at") WHERE expires_at is not null;--> statement-breakpoint
CREATE INDEX "destinations_created_at" ON "destinations" ("environment","created_at","id");--> statement-breakpoint
CREATE INDEX "destinations_recipient_id" ON "destinations" ("recipient_id");--> statement-breakpoint
CREATE INDEX "destinations_place" ON "destinations" ("environment","place") WHERE deleted_at is null;--> statement-breakpoint
CREATE INDEX "destinations_connection_id" ON "destinations" ("connection_id");--> statement-breakpoint
CREATE INDEX "idempotency_keys_created_at" ON "idempotency_keys" ("created_at");--> statement-breakpoint
CREATE UNIQUE INDEX "model_revisions_number" ON "model_revisions" ("model_id","number");--> statement-breakpoint
CREATE INDEX "model_revisions_source_id" ON "model_revisions" ("source_id");--> statement-breakpoint
CREATE INDEX "model_states_model_id" ON "model_states" ("model_id");--> statement-breakpoint
CREATE UNIQUE INDEX "models_name" ON "models" ("environment","name");--> statement-breakpoint
CREATE INDEX "models_created_at" ON "models" ("environment","created_at","id");--> statement-breakpoint
CREATE INDEX "models_source_id" ON "models" ("source_id");--> statement-breakpoint
CREATE INDEX "name_history_name" ON "name_history" ("environment","kind","name");--> statement-breakpoint
CREATE INDEX "probes_expires_at" ON "probes" ("expires_at");--> statement-breakpoint
CREATE INDEX "probes_connection_id" ON "probes" ("connection_id");--> statement-breakpoint
CREATE UNIQUE INDEX "products_name" ON "products" ("environment","name");--> statement-breakpoint
CREATE INDEX "products_created_at" ON "products" ("environment","created_at","id");--> statement-breakpoint
CREATE UNIQUE INDEX "recipients_provider_id" ON "recipients" ("environment","id_in_provider_system") WHERE deleted_at is null;--> statement-breakpoint
CREATE INDEX "recipients_created_at" ON "recipients" ("environment","created_at","id");--> statement-breakpoint
CREATE UNIQUE INDEX "sources_name" ON "sources" ("environment","name") WHERE deleted_at is null;--> statement-breakpoint
CREATE INDEX "sources_created_at" ON "sources" ("environment","created_at","id");--> statement-breakpoint
CREATE INDEX "sources_connection_id" ON "sources" ("connection_id");--> statement-breakpoint
CREATE INDEX "transfer_log_transfer_id" ON "transfer_log" ("transfer_id","id");--> statement-breakpoint
CREATE INDEX "transfer_models_model_id" ON "transfer_models" ("model_id");--> statement-breakpoint
CREATE INDEX "transfer_models_revision_id" ON "transfer_models" ("revision_id");--> statement-breakpoint
CREATE INDEX "transfer_models_source_id" ON "transfer_models" ("source_id");--> statement-breakpoint
CREATE INDEX "transfer_models_source_connection_id" ON "transfer_models" ("source_connection_id");--> statement-breakpoint
CREATE INDEX "transfers_submitted_at" ON "transfers" ("environment","submitted_at","id");--> statement-breakpoint
CREATE INDEX "transfers_of_destination" ON "transfers" ("destination_id","submitted_at","id");--> statement-breakpoint
CREATE INDEX "transfers_of_recipient" ON "transfers" ("recipient_id","submitted_at","id");--> statement-breakpoint
CREATE INDEX "transfers_ended_at" ON "transfers" ("environment","ended_at");--> statement-breakpoint
CREATE INDEX "transfers_open" ON "transfers" ("destination_id","submitted_at") WHERE ended_at is null;--> statement-breakpoint
CREATE INDEX "transfers_destination_connection_id" ON "transfers" ("destination_connection_id");--> statement-breakpoint
CREATE INDEX "transfers_tags" ON "transfers" USING gin ("tags");--> statement-breakpoint
ALTER TABLE "destinations" ADD CONSTRAINT "destinations_recipient_id_recipients_id_fkey" FOREIGN KEY ("recipient_id") REFERENCES "recipients"("id");--> statement-breakpoint
ALTER TABLE "destinations" ADD CONSTRAINT "destinations_connection_id_connections_id_fkey" FOREIGN KEY ("connection_id") REFERENCES "connections"("id");--> statement-breakpoint
ALTER TABLE "model_revisions" ADD CONSTRAINT "model_revisions_model_id_models_id_fkey" FOREIGN KEY ("model_id") REFERENCES "models"("id");--> statement-breakpoint
ALTER TABLE "model_revisions" ADD CONSTRAINT "model_revisions_source_id_sources_id_fkey" FOREIGN KEY ("source_id") REFERENCES "sources"("id");--> statement-breakpoint
ALTER TABLE "model_states" ADD CONSTRAINT "model_states_destination_id_destinations_id_fkey" FOREIGN KEY ("destination_id") REFERENCES "destinations"("id");--> statement-breakpoint
ALTER TABLE "model_states" ADD CONSTRAINT "model_states_model_id_models_id_fkey" FOREIGN KEY ("model_id") REFERENCES "models"("id");--> statement-breakpoint
ALTER TABLE "models" ADD CONSTRAINT "models_source_id_sources_id_fkey" FOREIGN KEY ("source_id") REFERENCES "sources"("id");--> statement-breakpoint
ALTER TABLE "name_history" ADD CONSTRAINT "name_history_model_id_models_id_fkey" FOREIGN KEY ("model_id") REFERENCES "models"("id");--> statement-breakpoint
ALTER TABLE "probes" ADD CONSTRAINT "probes_connection_id_connections_id_fkey" FOREIGN KEY ("connection_id") REFERENCES "connections"("id");--> statement-breakpoint
ALTER TABLE "sources" ADD CONSTRAINT "sources_connection_id_connections_id_fkey" FOREIGN KEY ("connection_id") REFERENCES "connections"("id");--> statement-breakpoint
ALTER TABLE "transfer_log" ADD CONSTRAINT "transfer_log_transfer_id_transfers_id_fkey" FOREIGN KEY ("transfer_id") REFERENCES "transfers"("id");--> statement-breakpoint
ALTER TABLE "transfer_models" ADD CONSTRAINT "transfer_models_transfer_id_transfers_id_fkey" FOREIGN KEY ("transfer_id") REFERENCES "transfers"("id");--> statement-breakpoint
ALTER TABLE "transfer_models" ADD CONSTRAINT "transfer_models_model_id_models_id_fkey" FOREIGN KEY ("model_id") REFERENCES "models"("id");--> statement-breakpoint
ALTER TABLE "transfer_models" ADD CONSTRAINT "transfer_models_revision_id_model_revisions_id_fkey" FOREIGN KEY ("revision_id") REFERENCES "model_revisions"("id");--> statement-breakpoint
ALTER TABLE "transfer_models" ADD CONSTRAINT "transfer_models_source_id_sources_id_fkey" FOREIGN KEY ("source_id") REFERENCES "sources"("id");--> statement-breakpoint
ALTER TABLE "transfer_models" ADD CONSTRAINT "transfer_models_source_connection_id_connections_id_fkey" FOREIGN KEY ("source_connection_id") REFERENCES "connections"("id");--> statement-breakpoint
ALTER TABLE "transfers" ADD CONSTRAINT "transfers_destination_id_destinations_id_fkey" FOREIGN KEY ("destination_id") REFERENCES "destinations"("id");--> statement-breakpoint
ALTER TABLE "transfers" ADD CONSTRAINT "transfers_recipient_id_recipients_id_fkey" FOREIGN KEY ("recipient_id") REFERENCES "recipients"("id");--> statement-breakpoint
ALTER TABLE "transfers" ADD CONSTRAINT "transfers_destination_connection_id_connections_id_fkey" FOREIGN KEY ("destination_connection_id") REFERENCES "connections"("id");