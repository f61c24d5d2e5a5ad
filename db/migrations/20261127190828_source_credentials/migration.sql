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
ALTER TABLE "transfer_models" ADD COLUMN "source_credential_id" uuid;--> statement-breakpoint
CREATE UNIQUE INDEX "recipient_source_credentials_pair" ON "recipient_source_credentials" ("recipient_id","source_id");--> statement-breakpoint
CREATE INDEX "recipient_source_credentials_created_at" ON "recipient_source_credentials" ("environment","created_at","id");--> statement-breakpoint
CREATE INDEX "recipient_source_credentials_source_id" ON "recipient_source_credentials" ("source_id");--> statement-breakpoint
ALTER TABLE "recipient_source_credentials" ADD CONSTRAINT "recipient_source_credentials_recipient_id_recipients_id_fkey" FOREIGN KEY ("recipient_id") REFERENCES "recipients"("id");--> statement-breakpoint
ALTER TABLE "recipient_source_credentials" ADD CONSTRAINT "recipient_source_credentials_source_id_sources_id_fkey" FOREIGN KEY ("source_id") REFERENCES "sources"("id");