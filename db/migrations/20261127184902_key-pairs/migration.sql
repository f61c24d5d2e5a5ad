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
CREATE INDEX "key_pairs_recipient_id" ON "key_pairs" ("recipient_id");--> statement-breakpoint
CREATE INDEX "key_pairs_lapsing" ON "key_pairs" ("created_at") WHERE kept_at is null;--> statement-breakpoint
CREATE UNIQUE INDEX "key_pairs_own" ON "key_pairs" ("environment","recipient_id") WHERE is_own;--> statement-breakpoint
CREATE UNIQUE INDEX "key_pairs_own_of_vendor" ON "key_pairs" ("environment") WHERE is_own and recipient_id is null;--> statement-breakpoint
ALTER TABLE "key_pairs" ADD CONSTRAINT "key_pairs_recipient_id_recipients_id_fkey" FOREIGN KEY ("recipient_id") REFERENCES "recipients"("id");