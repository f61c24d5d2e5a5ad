CREATE TYPE "tenancy" AS ENUM('column', 'schema');--> statement-breakpoint
CREATE TABLE "environment_settings" (
	"environment" "environment" PRIMARY KEY,
	"default_frequency_minutes" integer DEFAULT 1440 NOT NULL,
	"automatic_transfers" boolean DEFAULT true NOT NULL,
	"max_concurrent_transfers" integer DEFAULT 10 NOT NULL,
	"default_tenancy" "tenancy" DEFAULT 'column'::"tenancy" NOT NULL,
	"updated_at" timestamp(6) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
ALTER TABLE "destinations" ADD COLUMN "schedule_cron" text;--> statement-breakpoint
ALTER TABLE "destinations" ADD COLUMN "schedule_time_zone" text;--> statement-breakpoint
ALTER TABLE "destinations" ADD COLUMN "schedule_version" integer DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE "destinations" ADD COLUMN "scheduled_version" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
CREATE INDEX "destinations_outdated_schedules" ON "destinations" ("id") WHERE schedule_version <> scheduled_version;