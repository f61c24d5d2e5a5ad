ALTER TABLE "destinations" ADD COLUMN "consecutive_failures" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "destinations" ADD COLUMN "stale_since" timestamp(6) with time zone;--> statement-breakpoint
ALTER TABLE "sources" ADD COLUMN "max_concurrent_transfers" integer;--> statement-breakpoint
ALTER TABLE "transfers" ADD COLUMN "admitted_at" timestamp(6) with time zone;--> statement-breakpoint
CREATE INDEX "transfers_admitted" ON "transfers" ("environment") WHERE ended_at is null and admitted_at is not null;