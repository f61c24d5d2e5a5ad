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
CREATE INDEX "scoped_tokens_expires_at" ON "scoped_tokens" ("expires_at");--> statement-breakpoint
CREATE INDEX "scoped_tokens_recipient_id" ON "scoped_tokens" ("recipient_id");--> statement-breakpoint
ALTER TABLE "scoped_tokens" ADD CONSTRAINT "scoped_tokens_recipient_id_recipients_id_fkey" FOREIGN KEY ("recipient_id") REFERENCES "recipients"("id");