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
CREATE INDEX "magic_links_created_at" ON "magic_links" ("environment","created_at","id");--> statement-breakpoint
CREATE INDEX "magic_links_recipient_id" ON "magic_links" ("recipient_id");--> statement-breakpoint
CREATE INDEX "magic_links_expires_at" ON "magic_links" ("expires_at");--> statement-breakpoint
ALTER TABLE "magic_links" ADD CONSTRAINT "magic_links_recipient_id_recipients_id_fkey" FOREIGN KEY ("recipient_id") REFERENCES "recipients"("id");