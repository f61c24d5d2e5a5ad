CREATE TYPE "delivery_status" AS ENUM('PENDING', 'SUCCESS', 'ERROR', 'CANCELLED');--> statement-breakpoint
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
CREATE INDEX "deliveries_webhook_id" ON "deliveries" ("webhook_id","created_at","id");--> statement-breakpoint
CREATE INDEX "deliveries_notice_id" ON "deliveries" ("notice_id");--> statement-breakpoint
CREATE INDEX "deliveries_open" ON "deliveries" ("webhook_id","resource_id","id") WHERE ended_at is null;--> statement-breakpoint
CREATE INDEX "delivery_attempts_delivery_id" ON "delivery_attempts" ("delivery_id","id");--> statement-breakpoint
CREATE INDEX "notices_created_at" ON "notices" ("created_at");--> statement-breakpoint
CREATE INDEX "webhooks_environment" ON "webhooks" ("environment","created_at","id") WHERE deleted_at is null;--> statement-breakpoint
ALTER TABLE "deliveries" ADD CONSTRAINT "deliveries_notice_id_notices_id_fkey" FOREIGN KEY ("notice_id") REFERENCES "notices"("id");--> statement-breakpoint
ALTER TABLE "deliveries" ADD CONSTRAINT "deliveries_webhook_id_webhooks_id_fkey" FOREIGN KEY ("webhook_id") REFERENCES "webhooks"("id");--> statement-breakpoint
ALTER TABLE "delivery_attempts" ADD CONSTRAINT "delivery_attempts_delivery_id_deliveries_id_fkey" FOREIGN KEY ("delivery_id") REFERENCES "deliveries"("id");