CREATE TYPE "delivery_status" AS ENUM('PENDING', 'SUCCESS', 'ERROR', 'CANCELLED');--> statement-breakpoint
CREATE TABLE "recipient_source_credentials" (
	"id" uuid PRIMARY KEY,
	"environment" "environment" NOT NULL,
	"recipient_id" uuid NOT NULL,
	"source_id" uuid NOT NULL,
	"username" text NOT NULL,
	"password" text NOT NULL,
	"created_at" timestamp(6) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp(6) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "key_pairs" (
	"id" uuid PRIMARY KEY,
	"fingerprint" text NOT NULL UNIQUE,
	"public_key" text NOT NULL,
	"private_key" text NOT NULL,
	"environment" "environment",
	"recipient_id" uuid,
	"is_own" boolean NOT NULL,
	"kept_at" timestamp(6) with time zone,
	"created_at" timestamp(6) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "ssh_host_keys" (
	"host" text,
	"port" integer,
	"fingerprint" text NOT NULL,
	"created_at" timestamp(6) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "ssh_host_keys_pkey" PRIMARY KEY("host","port")
);
--> statement-breakpoint
CREATE TABLE "deliveries" (
	"id" uuid PRIMARY KEY,
	"notice_id" uuid NOT NULL,
	"webhook_id" uuid NOT NULL,
	"resource_id" text NOT NULL,
	"status" "delivery_status" NOT NULL,
	"attempts" integer DEFAULT 0 NOT NULL,
	"rung_at" timestamp(6) with time zone,
	"created_at" timestamp(6) with time zone DEFAULT now() NOT NULL,
	"ended_at" timestamp(6) with time zone
);
--> statement-breakpoint
CREATE TABLE "delivery_attempts" (
	"id" uuid PRIMARY KEY,
	"delivery_id" uuid NOT NULL,
	"at" timestamp(6) with time zone DEFAULT now() NOT NULL,
	"status_code" integer,
	"error" text,
	"millis" integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE "notices" (
	"id" uuid PRIMARY KEY,
	"environment" "environment" NOT NULL,
	"type" text NOT NULL,
	"resource_id" text NOT NULL,
	"data" jsonb,
	"created_at" timestamp(6) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "sensitive_traces" (
	"id" uuid PRIMARY KEY,
	"environment" "environment" NOT NULL,
	"transfer_id" uuid NOT NULL,
	"model_id" uuid NOT NULL,
	"code" text NOT NULL,
	"trace" text NOT NULL,
	"created_at" timestamp(6) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "signing_keys" (
	"id" uuid PRIMARY KEY,
	"public_key" text NOT NULL,
	"private_key" text NOT NULL,
	"created_at" timestamp(6) with time zone DEFAULT now() NOT NULL,
	"retired_at" timestamp(6) with time zone
);
--> statement-breakpoint
CREATE TABLE "webhooks" (
	"id" uuid PRIMARY KEY,
	"environment" "environment" NOT NULL,
	"kind" text DEFAULT 'webhook' NOT NULL,
	"name" text NOT NULL,
	"vendor" text NOT NULL,
	"url" text NOT NULL,
	"events" text[] NOT NULL,
	"api_key" text,
	"is_enabled" boolean NOT NULL,
	"created_at" timestamp(6) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp(6) with time zone DEFAULT now() NOT NULL,
	"deleted_at" timestamp(6) with time zone
);
--> statement-breakpoint
CREATE TABLE "environment_settings" (
	"environment" "environment" PRIMARY KEY,
	"default_frequency_minutes" integer DEFAULT 1440 NOT NULL,
	"automatic_transfers" boolean DEFAULT true NOT NULL,
	"max_concurrent_transfers" integer DEFAULT 10 NOT NULL,
	"updated_at" timestamp(6) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "magic_links" (
	"id" uuid PRIMARY KEY,
	"environment" "environment" NOT NULL,
	"recipient_id" uuid NOT NULL,
	"name" text NOT NULL,
	"vendor" text,
	"presets" jsonb NOT NULL,
	"set_destination_enabled" boolean NOT NULL,
	"redirect_url" text,
	"token_hash" text NOT NULL UNIQUE,
	"created_at" timestamp(6) with time zone DEFAULT now() NOT NULL,
	"expires_at" timestamp(6) with time zone NOT NULL,
	"used_at" timestamp(6) with time zone
);
--> statement-breakpoint
CREATE TABLE "scoped_tokens" (
	"id" uuid PRIMARY KEY,
	"environment" "environment" NOT NULL,
	"recipient_id" uuid NOT NULL,
	"token_hash" text NOT NULL UNIQUE,
	"origin" text NOT NULL,
	"destination_id" uuid,
	"leaves" jsonb NOT NULL,
	"created_by" text NOT NULL,
	"created_at" timestamp(6) with time zone DEFAULT now() NOT NULL,
	"expires_at" timestamp(6) with time zone NOT NULL
);
--> statement-breakpoint
ALTER TABLE "destinations" ADD COLUMN "schedule_cron" text;--> statement-breakpoint
ALTER TABLE "destinations" ADD COLUMN "schedule_time_zone" text;--> statement-breakpoint
ALTER TABLE "destinations" ADD COLUMN "schedule_version" integer DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE "destinations" ADD COLUMN "scheduled_version" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "destinations" ADD COLUMN "consecutive_failures" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "destinations" ADD COLUMN "stale_since" timestamp(6) with time zone;--> statement-breakpoint
ALTER TABLE "model_states" ADD COLUMN "current_as_of" timestamp(6) with time zone;--> statement-breakpoint
ALTER TABLE "sources" ADD COLUMN "max_concurrent_transfers" integer;--> statement-breakpoint
ALTER TABLE "api_keys" ADD COLUMN "scopes" text[];--> statement-breakpoint
ALTER TABLE "transfer_models" ADD COLUMN "source_credential_id" uuid;--> statement-breakpoint
ALTER TABLE "transfers" ADD COLUMN "request_id" text;--> statement-breakpoint
ALTER TABLE "transfers" ADD COLUMN "admitted_at" timestamp(6) with time zone;--> statement-breakpoint
CREATE INDEX "destinations_outdated_schedules" ON "destinations" ("id") WHERE schedule_version <> scheduled_version;--> statement-breakpoint
CREATE UNIQUE INDEX "recipient_source_credentials_pair" ON "recipient_source_credentials" ("recipient_id","source_id");--> statement-breakpoint
CREATE INDEX "recipient_source_credentials_created_at" ON "recipient_source_credentials" ("environment","created_at","id");--> statement-breakpoint
CREATE INDEX "recipient_source_credentials_source_id" ON "recipient_source_credentials" ("source_id");--> statement-breakpoint
CREATE INDEX "key_pairs_recipient_id" ON "key_pairs" ("recipient_id");--> statement-breakpoint
CREATE INDEX "key_pairs_lapsing" ON "key_pairs" ("created_at") WHERE kept_at is null;--> statement-breakpoint
CREATE UNIQUE INDEX "key_pairs_own" ON "key_pairs" ("environment","recipient_id") WHERE is_own;--> statement-breakpoint
CREATE UNIQUE INDEX "key_pairs_own_of_vendor" ON "key_pairs" ("environment") WHERE is_own and recipient_id is null;--> statement-breakpoint
CREATE INDEX "deliveries_webhook_id" ON "deliveries" ("webhook_id","created_at","id");--> statement-breakpoint
CREATE INDEX "deliveries_notice_id" ON "deliveries" ("notice_id");--> statement-breakpoint
CREATE INDEX "deliveries_open" ON "deliveries" ("webhook_id","resource_id","id") WHERE ended_at is null;--> statement-breakpoint
CREATE INDEX "delivery_attempts_delivery_id" ON "delivery_attempts" ("delivery_id","id");--> statement-breakpoint
CREATE INDEX "notices_created_at" ON "notices" ("created_at");--> statement-breakpoint
CREATE INDEX "sensitive_traces_transfer_id" ON "sensitive_traces" ("transfer_id");--> statement-breakpoint
CREATE INDEX "sensitive_traces_created_at" ON "sensitive_traces" ("created_at");--> statement-breakpoint
CREATE INDEX "sensitive_traces_model_id" ON "sensitive_traces" ("model_id");--> statement-breakpoint
CREATE INDEX "webhooks_environment" ON "webhooks" ("environment","created_at","id") WHERE deleted_at is null;--> statement-breakpoint
CREATE INDEX "magic_links_created_at" ON "magic_links" ("environment","created_at","id");--> statement-breakpoint
CREATE INDEX "magic_links_recipient_id" ON "magic_links" ("recipient_id");--> statement-breakpoint
CREATE INDEX "magic_links_expires_at" ON "magic_links" ("expires_at");--> statement-breakpoint
CREATE INDEX "scoped_tokens_expires_at" ON "scoped_tokens" ("expires_at");--> statement-breakpoint
CREATE INDEX "scoped_tokens_recipient_id" ON "scoped_tokens" ("recipient_id");--> statement-breakpoint
CREATE INDEX "transfers_admitted" ON "transfers" ("environment") WHERE ended_at is null and admitted_at is not null;--> statement-breakpoint
ALTER TABLE "recipient_source_credentials" ADD CONSTRAINT "recipient_source_credentials_recipient_id_recipients_id_fkey" FOREIGN KEY ("recipient_id") REFERENCES "recipients"("id");--> statement-breakpoint
ALTER TABLE "recipient_source_credentials" ADD CONSTRAINT "recipient_source_credentials_source_id_sources_id_fkey" FOREIGN KEY ("source_id") REFERENCES "sources"("id");--> statement-breakpoint
ALTER TABLE "key_pairs" ADD CONSTRAINT "key_pairs_recipient_id_recipients_id_fkey" FOREIGN KEY ("recipient_id") REFERENCES "recipients"("id");--> statement-breakpoint
ALTER TABLE "deliveries" ADD CONSTRAINT "deliveries_notice_id_notices_id_fkey" FOREIGN KEY ("notice_id") REFERENCES "notices"("id");--> statement-breakpoint
ALTER TABLE "deliveries" ADD CONSTRAINT "deliveries_webhook_id_webhooks_id_fkey" FOREIGN KEY ("webhook_id") REFERENCES "webhooks"("id");--> statement-breakpoint
ALTER TABLE "delivery_attempts" ADD CONSTRAINT "delivery_attempts_delivery_id_deliveries_id_fkey" FOREIGN KEY ("delivery_id") REFERENCES "deliveries"("id");--> statement-breakpoint
ALTER TABLE "sensitive_traces" ADD CONSTRAINT "sensitive_traces_transfer_id_transfers_id_fkey" FOREIGN KEY ("transfer_id") REFERENCES "transfers"("id");--> statement-breakpoint
ALTER TABLE "sensitive_traces" ADD CONSTRAINT "sensitive_traces_model_id_models_id_fkey" FOREIGN KEY ("model_id") REFERENCES "models"("id");--> statement-breakpoint
ALTER TABLE "magic_links" ADD CONSTRAINT "magic_links_recipient_id_recipients_id_fkey" FOREIGN KEY ("recipient_id") REFERENCES "recipients"("id");--> statement-breakpoint
ALTER TABLE "scoped_tokens" ADD CONSTRAINT "scoped_tokens_recipient_id_recipients_id_fkey" FOREIGN KEY ("recipient_id") REFERENCES "recipients"("id");